/* Mail addresses: what may stand in an envelope and in a header. */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <vv/request.h>

struct mail_address {
    const char *name;    /* NULL: none */
    const char *address; /* NULL: there is no such address at all */
};

/* Whether this can be handed to any SMTP server: ASCII, dot-atom@domain or user@[literal]. It holds
 * no space, control character, angle bracket or quote, so it cannot break out of header or command.
 */
bool mail_address_valid(const char *address);

/* Whether a name may stand in a header once it is encoded: no control characters. */
bool mail_name_valid(const char *name);

/* Reads "Name <address>", "\"Name\" <address>" or "address". VV_EINVAL: neither. Request. */
int mail_address_parse(struct vv_request *req, const char *text, struct mail_address *ret_address);

#endif
