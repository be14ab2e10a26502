/* AWS's Signature Version 4, where libcurl's does not do: in URLs, and by another clock than ours.
 */
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

/* A POST that is to be signed in its headers. Everything is borrowed. */
struct aws_signed {
    const char *url; /* scheme://host[:port]/path */
    const char *region, *service;
    const char *id, *secret, *token;
    const char *body;
    const char *time; /* "20261001T120000Z": goes in the header X-Amz-Date */
};

/* The header Authorization for it; it covers Host, X-Amz-Date and, when there is a token,
 * X-Amz-Security-Token. NULL: OpenSSL failed. Request. */
const char *aws_sign_post(struct vv_request *req, const struct aws_signed *what);

#endif
