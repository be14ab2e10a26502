/* The real host table around a made-up plugin, for unit tests of the auth plugin's pure parts. */
#ifndef AUTH_TEST_HOST_H
#define AUTH_TEST_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "plugin.h"
#include "request.h"

static struct auth_conf test_conf;
static struct vv_self test_self = {.name = "auth"};
static struct vv_request *req;

static int host_setup(void **state)
{
    (void)state;
    test_conf = (struct auth_conf){
        .jwt_secret = "a-secret-of-tests-that-is-long-enough-0123456789",
        .access_token_ttl = 900000,
        .bcrypt_cost = 4,
    };
    vv_host_fill(&test_self);
    test_self.conf = &test_conf;
    vv_host = &test_self.host;
    req = vv_request_new(VV_UNIT_COMMAND, &test_self, "test", 0);
    return 0;
}

static int host_teardown(void **state)
{
    (void)state;
    vv_request_end(req);
    return 0;
}

#endif
