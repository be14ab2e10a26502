/* Templates of messages: read and checked at the start, rendered for each message. */
#ifndef MAIL_TEMPLATE_H
#define MAIL_TEMPLATE_H

#include <vv/json.h>

/* A stretch of literal text, or one variable's place in it. */
struct mail_part {
    const char *literal; /* NULL: a variable */
    size_t length;
    size_t variable; /* index into the values */
};

struct mail_source {
    struct mail_part *parts;
    size_t count;
};

struct mail_variable {
    const char *name;
    const char *sample; /* what `vvctl mail preview` shows */
};

/* One folder: subject.txt, body.txt, body.html and variables.txt. */
struct mail_template {
    const char *name;                /* "auth/verify-email" */
    struct mail_variable *variables; /* the first is product_name, which every template may use */
    size_t variable_count;
    struct mail_source subject, text, html;
};

struct mail_templates {
    struct mail_template *list;
    size_t count;
    struct mail_source layout_text, layout_html;
};

/* A rendered message. Request. */
struct mail_content {
    const char *subject; /* one line */
    const char *text;
    const char *html;
};

/*
 * Reads every folder PLUGIN/MESSAGE of `dir`, and layout.txt and layout.html. Whatever is wrong is
 * logged as file:line; the vv_fail() sentence has the first. Memory of `req`, during init: for
 * ever.
 */
int mail_templates_load(struct vv_request *req, const char *dir,
                        const struct mail_templates **ret_templates);

/* NULL: there is none of that name. */
const struct mail_template *mail_templates_find(const struct mail_templates *templates,
                                                const char *name);

/* The values of a template's variables out of a JSON object, in their order. VV_EINVAL: one is
 * missing or neither text nor number; `ret_bad` names it. Request. */
int mail_template_values(struct vv_request *req, const struct mail_template *template,
                         const char *product_name, const struct vv_value *object,
                         const char ***ret_values, const char **ret_bad);

/* The same from the samples. Request. */
const char **mail_template_samples(struct vv_request *req, const struct mail_template *template,
                                   const char *product_name);

void mail_template_render(struct vv_request *req, const struct mail_templates *templates,
                          const struct mail_template *template, const char *const *values,
                          struct mail_content *ret_content);

#endif
