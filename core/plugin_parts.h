/* What the files of the plugin loader share, and nobody else needs. */
#ifndef VV_CORE_PLUGIN_PARTS_H
#define VV_CORE_PLUGIN_PARTS_H

#include "config_parts.h"
#include "plugin.h"

#define VV_IMAGE_SEGMENTS 16

/* The memory that one loaded file occupies: nothing a descriptor points at may lie elsewhere. */
struct vv_image {
    struct {
        uintptr_t begin, end;
    } segments[VV_IMAGE_SEGMENTS];
    size_t count;
};

/* The image that has this address. False: none has. plugin_image.c */
bool vv_image_find(const void *address, struct vv_image *ret_image);

/* How many bytes of the image there are from this address on; 0: it lies elsewhere. */
size_t vv_image_room(const struct vv_image *image, const void *address);

/* Opens the file and finds its descriptor, with the size of that symbol. Returns NULL, or why it
 * cannot be used: a sentence that ends with what to do. plugin_image.c */
const char *vv_image_open(struct vv_arena *arena, const char *path,
                          const struct vv_plugin **ret_descriptor, size_t *ret_size);

/* Notes what is wrong with a plugin: a mistake when its section says enabled, else a warning. */
VV_PRINTF(3, 4)
void vv_plugin_problem(struct vv_config *config, const struct vv_self *self, const char *format,
                       ...);

/* Copies the descriptor and its tables into `self`, refusing what cannot be right. False: the
 * reasons were noted. plugin_check.c */
bool vv_plugin_check(struct vv_config *config, struct vv_self *self,
                     const struct vv_plugin *descriptor, size_t size);

/* What plugin_check.c found sound in memory, looked at for sense. plugin_tables.c */
bool vv_plugin_check_tables(struct vv_config *config, struct vv_self *self);

/* Notes names that two enabled plugins claim, and limits that nobody declares. plugin_order.c */
void vv_plugin_check_clashes(struct vv_config *config, const struct vv_plugins *plugins);

/* Sorts the enabled plugins to the front, each after those whose services it uses. plugin_order.c
 */
void vv_plugin_order(struct vv_config *config, struct vv_plugins *plugins);

/* One by one the services of "auth/1, mail/1?": copies the next into ret_name and moves `*at` on.
 * False: there are no more. */
#define VV_SERVICE_NAME 64
bool vv_service_next(const char **at, char ret_name[VV_SERVICE_NAME], bool *ret_optional);

/* Whether a list of services has that one. */
bool vv_service_listed(const char *list, const char *name);

/* Freezes the hooks of the enabled plugins. hooks.c */
void vv_hooks_freeze(struct vv_plugins *plugins);

#endif
