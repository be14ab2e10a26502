/* What a session may do: the inline policy that narrows the role, and the tags that name the user.
 */
#include "aws.h"

#include <ctype.h>

#define POLICY_HEAD "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":["
#define POLICY_TAIL "],\"Resource\":\"*\"}]}"
#define POLICY_TAG  256 /* characters of a tag's value */

/* "service:Action"; a star may stand for a part of the action, not for everything there is. */
static bool policy_is_action(const char *text)
{
    const char *colon = strchr(text, ':');

    if (colon == NULL || colon == text || colon[1] == '\0' || colon[1] == '*')
        return false;
    for (const char *p = text; p < colon; p++)
        if (!isalnum((unsigned char)*p) && *p != '-')
            return false;
    for (const char *p = colon + 1; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && *p != '*')
            return false;
    return true;
}

const char *aws_policy_make(struct vv_request *req, const char *const *actions,
                            const char **ret_why)
{
    const char *policy = POLICY_HEAD, *comma = "";

    *ret_why = NULL;
    for (; actions != NULL && *actions != NULL; actions++) {
        if (!policy_is_action(*actions)) {
            *ret_why = vv_printf(req,
                                 "[aws] policy_actions: '%.80s' is no action such as "
                                 "transcribe:StartStreamTranscription",
                                 *actions);
            return NULL;
        }
        policy = vv_printf(req, "%s%s\"%s\"", policy, comma, *actions);
        comma = ",";
    }
    if (comma[0] == '\0')
        *ret_why = "[aws] policy_actions is empty: a session could do nothing";
    policy = vv_printf(req, "%s" POLICY_TAIL, policy);
    if (strlen(policy) > AWS_POLICY_MAX)
        *ret_why = vv_printf(req,
                             "[aws] policy_actions: the session policy has %zu characters; STS "
                             "takes %d at most",
                             strlen(policy), AWS_POLICY_MAX);
    return *ret_why == NULL ? policy : NULL;
}

const char *aws_tag_value(struct vv_request *req, const char *text)
{
    char *value = vv_printf(req, "%.*s", POLICY_TAG, text);

    for (char *p = value; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr(" _.:/=+-@", *p) == NULL)
            *p = '_';
    return value;
}
