/* Values of options: from an operator's text to the member of a struct, and back. */
#ifndef VV_CORE_OPTIONS_H
#define VV_CORE_OPTIONS_H

#include "arena.h"
#include <vv/option.h>

/* The size of the member that a type fills; 0: there is no such type. */
size_t vv_option_size(uint32_t type);

/*
 * Reads `text` into the member. Continuation lines are in it with '\n' between them: they add to a
 * list, a text gets a space in their place, and paths, URLs and secrets nothing. Returns NULL, or
 * what the value must be ("must be ..."), which lives in the arena.
 */
const char *vv_option_parse(struct vv_arena *arena, const struct vv_option *option,
                            const char *text, void *ret_member);

/* Whether a path's file or folder can be read: NULL, or why not. */
const char *vv_option_check_path(struct vv_arena *arena, const char *path);

/* The member as an operator would write it, lists with '\n' after each comma; NULL: it has none. A
 * secret is masked: of a URL its password, else the whole. */
const char *vv_option_format(struct vv_arena *arena, const struct vv_option *option,
                             const void *member);

/* Whether an enum's "a|b|c" has the word: its index, or -1. */
int vv_option_choice(const char *choices, const char *word, size_t length);

#endif
