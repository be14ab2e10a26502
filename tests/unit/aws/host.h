/* The real host table around a made-up plugin, for unit tests of the aws plugin's pure parts. */
#ifndef AWS_TEST_HOST_H
#define AWS_TEST_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws.h"
#include "plugin.h"
#include "request.h"

static struct aws_conf test_conf;
static struct vv_self test_self = {.name = "aws"};
static struct vv_request *req;

static int host_setup(void **state)
{
    (void)state;
    test_conf = (struct aws_conf){.region = "us-east-1", .breaker_failures = 3};
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
