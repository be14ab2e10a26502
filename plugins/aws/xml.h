/* Reads the flat XML of STS: strictly, and only so much of XML as STS writes. */
#ifndef AWS_XML_H
#define AWS_XML_H

#include <stdbool.h>
#include <stddef.h>

#define AWS_XML_MAX 65536 /* bytes of a document */

/* An element that is looked for, by the names from the root: "ErrorResponse/Error/Code". */
struct aws_xml_field {
    const char *path;
    char *value; /* where its text goes, NUL-terminated; "" when it is not there */
    size_t size;
    bool found;
};

/* Reads a document. False: it is not well-formed, holds what STS never sends (a DOCTYPE, CDATA, a
 * comment, a NUL), is too long or too deep; an element that is looked for is there twice, has
 * elements inside, or is longer than its place. */
bool aws_xml_read(const char *text, size_t length, struct aws_xml_field *fields, size_t count);

#endif
