/* Finds the templates below a folder, and renders a message from one of them and the layout. */
#include "source.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>

enum { LAYOUT_PRODUCT, LAYOUT_SUBJECT, LAYOUT_CONTENT, LAYOUT_COUNT };

static const struct mail_variable layout_variables[LAYOUT_COUNT] = {
    [LAYOUT_PRODUCT] = {"product_name", NULL},
    [LAYOUT_SUBJECT] = {"subject", NULL},
    [LAYOUT_CONTENT] = {"content", NULL},
};

static char *template_trim(char *text)
{
    size_t length;

    text += strspn(text, " \t\r");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

/* variables.txt: "name = sample" a line; a line that begins with # is a remark. */
static void template_read_variables(struct mail_mistakes *mistakes, const char *path,
                                    struct mail_template *template)
{
    char *text = mail_file_read(mistakes, path), *line, *next, *equals;
    unsigned number = 0;
    size_t room = 2;

    for (line = text; line != NULL && *line != '\0'; line++)
        room += *line == '\n';
    template->variables = vv_alloc(mistakes->req, room * sizeof *template->variables);
    template->variables[template->variable_count++] = (struct mail_variable){"product_name", ""};
    for (line = text; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        number++;
        line = template_trim(line);
        if (*line == '\0' || *line == '#')
            continue;
        equals = strchr(line, '=');
        if (equals == NULL) {
            mail_mistake(mistakes, "%s:%u: a line is 'name = a sample value'", path, number);
            continue;
        }
        *equals = '\0';
        template->variables[template->variable_count++] =
            (struct mail_variable){template_trim(line), template_trim(equals + 1)};
    }
}

/* The subject is a header: only the first line of the file counts, and there must be no other. */
static void template_check_subject(struct mail_mistakes *mistakes, const char *path,
                                   struct mail_source *subject)
{
    struct mail_part *last;
    size_t i;

    if (subject->count == 0) {
        mail_mistake(mistakes, "%s: there is no subject in it", path);
        return;
    }
    last = &subject->parts[subject->count - 1];
    if (last->literal != NULL && last->length > 0 && last->literal[last->length - 1] == '\n')
        last->length--;
    for (i = 0; i < subject->count; i++) {
        if (subject->parts[i].literal != NULL &&
            memchr(subject->parts[i].literal, '\n', subject->parts[i].length) != NULL)
            mail_mistake(mistakes, "%s: a subject is one line", path);
    }
}

static void template_read(struct mail_mistakes *mistakes, const char *dir, const char *name,
                          struct mail_template *template)
{
    struct vv_request *req = mistakes->req;
    const char *subject = vv_printf(req, "%s/%s/subject.txt", dir, name);

    template->name = name;
    template_read_variables(mistakes, vv_printf(req, "%s/%s/variables.txt", dir, name), template);
    mail_source_read(mistakes, subject, template->variables, template->variable_count,
                     &template->subject);
    template_check_subject(mistakes, subject, &template->subject);
    mail_source_read(mistakes, vv_printf(req, "%s/%s/body.txt", dir, name), template->variables,
                     template->variable_count, &template->text);
    mail_source_read(mistakes, vv_printf(req, "%s/%s/body.html", dir, name), template->variables,
                     template->variable_count, &template->html);
}

static int template_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' &&
           (entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN);
}

/* Reads the messages of one plugin's folder into the list, as far as it has room. */
static void template_read_folder(struct mail_mistakes *mistakes, const char *dir,
                                 const char *plugin, struct mail_templates *templates, size_t room)
{
    struct dirent **entries = NULL;
    int i, count = scandir(vv_printf(mistakes->req, "%s/%s", dir, plugin), &entries,
                           template_visible, alphasort);

    for (i = 0; i < count; i++) {
        const char *name = vv_printf(mistakes->req, "%s/%s", plugin, entries[i]->d_name);

        if (templates->count < room)
            template_read(mistakes, dir, name, &templates->list[templates->count++]);
        else
            mail_mistake(mistakes, "%s/%s: more than %zu templates", dir, name, room);
        free(entries[i]);
    }
    free(entries);
}

int mail_templates_load(struct vv_request *req, const char *dir,
                        const struct mail_templates **ret_templates)
{
    enum { ROOM = 1000 };
    struct mail_mistakes mistakes = {.req = req};
    struct mail_templates *templates = vv_alloc(req, sizeof *templates);
    struct dirent **entries = NULL;
    int i, count = scandir(dir, &entries, template_visible, alphasort);

    if (count < 0)
        return vv_fail(req, 500, "mail_templates", "[mail] template_dir: cannot read %s", dir);
    templates->list = vv_alloc(req, ROOM * sizeof *templates->list);
    for (i = 0; i < count; i++) {
        template_read_folder(&mistakes, dir, entries[i]->d_name, templates, ROOM);
        free(entries[i]);
    }
    free(entries);
    mail_source_read(&mistakes, vv_printf(req, "%s/layout.txt", dir), layout_variables,
                     LAYOUT_COUNT, &templates->layout_text);
    mail_source_read(&mistakes, vv_printf(req, "%s/layout.html", dir), layout_variables,
                     LAYOUT_COUNT, &templates->layout_html);
    if (mistakes.count > 0)
        return vv_fail(req, 500, "mail_templates", "%u mistake%s in the mail templates; first: %s",
                       mistakes.count, mistakes.count == 1 ? "" : "s", mistakes.first);
    *ret_templates = templates;
    return 0;
}

const struct mail_template *mail_templates_find(const struct mail_templates *templates,
                                                const char *name)
{
    size_t i;

    for (i = 0; i < templates->count; i++) {
        if (strcmp(templates->list[i].name, name) == 0)
            return &templates->list[i];
    }
    return NULL;
}

/* Texts as they are, whole numbers in digits; NULL for anything else. */
static const char *template_value(struct vv_request *req, const struct vv_value *value)
{
    struct vv_param param = vv_value_param(value);

    if (param.type == VV_TYPE_TEXT)
        return param.data;
    if (param.type == VV_TYPE_INT)
        return vv_printf(req, "%" PRId64, param.integer);
    if (param.type == VV_TYPE_REAL)
        return vv_printf(req, "%g", vv_param_real(param));
    return NULL;
}

int mail_template_values(struct vv_request *req, const struct mail_template *template,
                         const char *product_name, const struct vv_value *object,
                         const char ***ret_values, const char **ret_bad)
{
    const char **values = vv_alloc(req, template->variable_count * sizeof *values);
    size_t i;

    values[0] = product_name;
    for (i = 1; i < template->variable_count; i++) {
        const struct vv_value *value = vv_get(object, template->variables[i].name);

        values[i] = value == NULL ? NULL : template_value(req, value);
        if (values[i] == NULL) {
            *ret_bad = template->variables[i].name;
            return VV_EINVAL;
        }
    }
    *ret_values = values;
    return 0;
}

const char **mail_template_samples(struct vv_request *req, const struct mail_template *template,
                                   const char *product_name)
{
    const char **values = vv_alloc(req, template->variable_count * sizeof *values);
    size_t i;

    for (i = 0; i < template->variable_count; i++)
        values[i] = i == 0 ? product_name : template->variables[i].sample;
    return values;
}

static const char *template_part(struct vv_request *req, const struct mail_source *source,
                                 const char *const *values, enum mail_escape escape, size_t raw)
{
    struct mail_text out;

    mail_text_init(&out, req);
    mail_source_render(source, values, escape, raw, &out);
    return out.data;
}

void mail_template_render(struct vv_request *req, const struct mail_templates *templates,
                          const struct mail_template *template, const char *const *values,
                          struct mail_content *ret_content)
{
    const char *layout[LAYOUT_COUNT];

    ret_content->subject =
        template_part(req, &template->subject, values, MAIL_ESCAPE_LINE, SIZE_MAX);
    layout[LAYOUT_PRODUCT] = values[0];
    layout[LAYOUT_SUBJECT] = ret_content->subject;
    layout[LAYOUT_CONTENT] =
        template_part(req, &template->text, values, MAIL_ESCAPE_NONE, SIZE_MAX);
    ret_content->text =
        template_part(req, &templates->layout_text, layout, MAIL_ESCAPE_NONE, SIZE_MAX);
    layout[LAYOUT_CONTENT] =
        template_part(req, &template->html, values, MAIL_ESCAPE_HTML, SIZE_MAX);
    ret_content->html =
        template_part(req, &templates->layout_html, layout, MAIL_ESCAPE_HTML, LAYOUT_CONTENT);
}
