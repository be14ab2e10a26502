/* AWS's shared files, ~/.aws/credentials and ~/.aws/config: the section of one profile. */
#ifndef AWS_PROFILE_H
#define AWS_PROFILE_H

#include <stdbool.h>

struct vv_request;

/* What a file says of a profile; NULL: nothing. Request. */
struct aws_profile {
    bool found;
    const char *id, *secret, *token;
    const char *other; /* a key by which it wants its credentials in a way that we do not know */
};

/* Reads a file's text. `config`: sections of profiles are called [profile NAME] there, but for
 * [default]. Of a section that comes twice both count. */
void aws_profile_read(struct vv_request *req, const char *text, const char *name, bool config,
                      struct aws_profile *ret_profile);

#endif
