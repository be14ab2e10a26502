/* TLS of the listeners: one context a process, from [server] tls_cert and tls_key. */
#include "http_inside.h"

#include "config.h"
#include "log.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *tls_context;

static int tls_choose(SSL *ssl, const unsigned char **out, unsigned char *length,
                      const unsigned char *in, unsigned in_length, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl, (void)arg;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, length, ours, sizeof ours - 1, in,
                              in_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *tls_make(const char *cert, const char *key)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    vv_assert(context != NULL);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, tls_choose, NULL);
    if (SSL_CTX_use_certificate_chain_file(context, cert) == 1 &&
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

bool vv_http_check_tls(void)
{
    const struct vv_config_server *server = &vv_config->server;
    char why[256] = "";

    if (server->tls_cert == NULL && server->tls_key == NULL)
        return true;
    if (server->tls_cert == NULL || server->tls_key == NULL) {
        vv_config_problem(vv_config, NULL, "[server] tls_cert and tls_key belong together");
        return false;
    }
    ERR_clear_error();
    if (tls_context == NULL)
        tls_context = tls_make(server->tls_cert, server->tls_key);
    if (tls_context == NULL) {
        ERR_error_string_n(ERR_peek_error(), why, sizeof why);
        vv_config_problem(vv_config, NULL, "[server] tls_cert %s with tls_key %s: %s",
                          server->tls_cert, server->tls_key, why);
    }
    ERR_clear_error();
    return tls_context != NULL;
}

struct ssl_ctx_st *vv_tls_context(void)
{
    return tls_context;
}
