/* AWS's Signature Version 4 for URLs: who has the URL may do what it says, for a while. */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include <vv/request.h>

/* A parameter of the query, not escaped. */
struct aws_pair {
    const char *name, *value;
};

/* What is to be signed. Everything is borrowed. */
struct aws_presign {
    const char *scheme, *host, *path; /* "https", "host:port", "/escaped/path" */
    const char *region, *service;
    const char *id, *secret, *token; /* token: NULL for keys of a user */
    int64_t now;                     /* microseconds since 1970, by AWS's clock */
    int64_t expires;                 /* seconds */
    const char *payload;             /* hash of the body in hex; NULL: of no body */
    const struct aws_pair *query;    /* ends with a NULL name */
};

/* A GET of that URL, signed in its query, with the header Host alone. NULL: OpenSSL failed.
 * Request. */
const char *aws_presign(struct vv_request *req, const struct aws_presign *what);

#endif
