/* vvctl doctor: asks the core and every plugin whether all is well, and explains what is not. */
#include "buffer.h"
#include "ctl.h"
#include "migrate.h"
#include "plugin.h"
#include "request.h"
#include <stdio.h>

#define DOCTOR_DEADLINE 15000 /* milliseconds for one check */

static bool doctor_say(bool good, const char *part, const char *name, const char *remark)
{
    printf("%s %s%s%s%s%s\n", good ? "ok  " : "FAIL", part, name[0] == '\0' ? "" : " ", name,
           remark == NULL || remark[0] == '\0' ? "" : ": ", remark == NULL ? "" : remark);
    (void)fflush(stdout);
    return good;
}

/* The schema; false also when it cannot be seen. */
static bool doctor_schema(void)
{
    bool migrate = vv_config->database.migrate;
    enum vv_migrate_result result;

    /* A doctor looks, and changes nothing. */
    vv_config->database.migrate = false;
    result = vv_migrate(vv_plugins);
    vv_config->database.migrate = migrate;
    if (result == VV_MIGRATED)
        return doctor_say(true, "schema", "", "up to date");
    return doctor_say(false, "schema", "",
                      result == VV_MIGRATE_AWAY ? "the database cannot be reached"
                                                : "not what this server needs, see the line above; "
                                                  "`vvctl migrate` applies what is missing");
}

static bool doctor_database(void)
{
    char *problem = vv_ctl_database_problem();
    bool good = doctor_say(problem == NULL, "database", "", problem);

    free(problem);
    return good && doctor_schema();
}

static void doctor_remark(struct vv_request *req, const char *text)
{
    struct vv_buffer *remark = req->print_arg;

    vv_buffer_text(remark, text);
}

static int doctor_run(struct vv_request *req, void *arg)
{
    const struct vv_check *check = arg;

    return check->function(req);
}

static bool doctor_check(struct vv_self *plugin, struct vv_check *check)
{
    struct vv_buffer remark;
    struct vv_ctl_call call = {.plugin = plugin,
                               .id = "doctor",
                               .deadline = DOCTOR_DEADLINE,
                               .function = doctor_run,
                               .arg = check,
                               .print = doctor_remark,
                               .print_arg = &remark};
    bool good;

    vv_buffer_init(&remark, NULL);
    good = vv_ctl_call(&call) >= 0;
    while (remark.length > 0 && remark.data[remark.length - 1] == '\n')
        remark.data[--remark.length] = '\0';
    (void)doctor_say(good, plugin->name, check->name, good ? remark.data : call.detail);
    vv_buffer_free(&remark);
    free(call.detail);
    return good;
}

int vv_ctl_doctor(void)
{
    bool good = doctor_say(true, "configuration", "", vv_config->file);
    size_t i, k;

    good = doctor_database() && good;
    vv_ctl_host_start();
    for (i = 0; i < vv_plugins->enabled_count; i++) {
        struct vv_self *plugin = vv_plugins->all[i];

        for (k = 0; k < plugin->check_count; k++)
            good = doctor_check(plugin, &plugin->checks[k]) && good;
    }
    vv_ctl_host_stop();
    return good ? 0 : 1;
}
