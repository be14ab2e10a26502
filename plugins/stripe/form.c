/* Parameters of Stripe's API: text that can be sent, names with brackets included. */
#include "stripe.h"

#include <inttypes.h>

struct stripe_form {
    struct vv_request *req;
    char *text;
    size_t length, size;
};

struct stripe_form *stripe_form(struct vv_request *req)
{
    struct stripe_form *form = vv_alloc(req, sizeof *form);

    form->req = req;
    form->size = 256;
    form->text = vv_alloc(req, form->size);
    return form;
}

/* Room for `more` bytes and a NUL. Memory that is outgrown goes with the request. */
static void form_reserve(struct stripe_form *form, size_t more)
{
    size_t size = form->size;
    char *text;

    while (size - form->length <= more)
        size *= 2;
    if (size == form->size)
        return;
    text = vv_alloc(form->req, size);
    memcpy(text, form->text, form->length);
    form->text = text;
    form->size = size;
}

/* What RFC 3986 calls unreserved stays; brackets are escaped as well, which Stripe reads alike. */
static void form_escape(struct stripe_form *form, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    form_reserve(form, 3 * strlen(text));
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL;

        if (plain) {
            form->text[form->length++] = (char)byte;
            continue;
        }
        form->text[form->length++] = '%';
        form->text[form->length++] = digits[byte >> 4];
        form->text[form->length++] = digits[byte & 15];
    }
    form->text[form->length] = '\0';
}

void stripe_form_text(struct stripe_form *form, const char *name, const char *value)
{
    if (value == NULL)
        return;
    form_reserve(form, 2);
    if (form->length > 0)
        form->text[form->length++] = '&';
    form_escape(form, name);
    form_reserve(form, 1);
    form->text[form->length++] = '=';
    form_escape(form, value);
}

void stripe_form_int(struct stripe_form *form, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, value);
    stripe_form_text(form, name, text);
}

void stripe_form_bool(struct stripe_form *form, const char *name, bool value)
{
    stripe_form_text(form, name, value ? "true" : "false");
}

const char *stripe_form_encoded(const struct stripe_form *form)
{
    return form == NULL ? "" : form->text;
}
