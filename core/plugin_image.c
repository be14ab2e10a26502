/* Opens a plugin's file: looks at its first bytes, loads it, finds the one symbol and its memory.
 */
#include "plugin_parts.h"
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/stat.h>

struct image_search {
    uintptr_t address;
    struct vv_image *image;
    bool found;
};

static int image_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct image_search *search = arg;
    struct vv_image *image = search->image;
    int i;

    (void)size;
    image->count = 0;
    for (i = 0; i < info->dlpi_phnum && image->count < VV_IMAGE_SEGMENTS; i++) {
        uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        uintptr_t end = begin + info->dlpi_phdr[i].p_memsz;

        if (info->dlpi_phdr[i].p_type != PT_LOAD || (info->dlpi_phdr[i].p_flags & PF_R) == 0)
            continue;
        image->segments[image->count].begin = begin;
        image->segments[image->count].end = end;
        image->count++;
        search->found = search->found || (search->address >= begin && search->address < end);
    }
    return search->found ? 1 : 0;
}

bool vv_image_find(const void *address, struct vv_image *ret_image)
{
    struct image_search search = {(uintptr_t)address, ret_image, false};

    dl_iterate_phdr(image_visit, &search);
    return search.found;
}

size_t vv_image_room(const struct vv_image *image, const void *address)
{
    uintptr_t at = (uintptr_t)address;
    size_t i;

    for (i = 0; i < image->count; i++)
        if (at >= image->segments[i].begin && at < image->segments[i].end)
            return image->segments[i].end - at;
    return 0;
}

/* Bytes of a file; false: there are fewer, or errno says why. */
static bool image_read(int fd, void *bytes, size_t length, uint64_t offset)
{
    errno = 0;
    return pread(fd, bytes, length, (off_t)offset) == (ssize_t)length;
}

/* Whether the file is as long as its headers promise: dlopen maps what they say, and the process
 * would end at the first touch of what is missing. */
static bool image_whole(int fd, const ElfW(Ehdr) * header)
{
    struct stat status;
    ElfW(Phdr) segment;
    unsigned i;

    if (fstat(fd, &status) != 0 || header->e_phentsize != sizeof segment)
        return false;
    for (i = 0; i < header->e_phnum; i++)
        if (!image_read(fd, &segment, sizeof segment, header->e_phoff + i * sizeof segment) ||
            segment.p_offset > (uint64_t)status.st_size ||
            segment.p_filesz > (uint64_t)status.st_size - segment.p_offset)
            return false;
    return true;
}

/* Whether it is for a machine like this one, as the program itself is. */
static bool image_fits(const ElfW(Ehdr) * header)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ElfW(Ehdr) own;
    bool known = fd >= 0 && image_read(fd, &own, sizeof own, 0);

    if (fd >= 0)
        close(fd);
    return !known || (header->e_machine == own.e_machine &&
                      header->e_ident[EI_CLASS] == own.e_ident[EI_CLASS] &&
                      header->e_ident[EI_DATA] == own.e_ident[EI_DATA]);
}

/* dlopen's own words differ from one C library to the next, and some files it does not survive. */
static const char *image_check_file(struct vv_arena *arena, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ElfW(Ehdr) header;
    const char *why = NULL;

    if (fd < 0 || (!image_read(fd, &header, sizeof header, 0) && errno != 0))
        why = vv_arena_printf(arena, "%s cannot be read: %s", path, strerror(errno));
    else if (!image_read(fd, &header, sizeof header, 0))
        why = vv_arena_printf(arena, "%s is empty or cut short; build or install it again", path);
    else if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        why = vv_arena_printf(arena, "%s is no shared object; build or install it again", path);
    else if (!image_fits(&header))
        why = vv_arena_printf(
            arena, "%s was built for another kind of machine; build it for this one", path);
    else if (!image_whole(fd, &header))
        why = vv_arena_printf(arena, "%s is empty or cut short; build or install it again", path);
    if (fd >= 0)
        close(fd);
    return why;
}

/* Never unloaded: ten years of use after unload are other people's. */
static void *image_load(const char *path)
{
    return dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

const char *vv_image_open(struct vv_arena *arena, const char *path,
                          const struct vv_plugin **ret_descriptor, size_t *ret_size)
{
    const char *why = image_check_file(arena, path);
    const ElfW(Sym) *symbol = NULL;
    Dl_info info;
    void *handle, *found;

    if (why != NULL)
        return why;
    handle = image_load(path);
    if (handle == NULL)
        return vv_arena_printf(arena, "it cannot be loaded: %s", dlerror());
    found = dlsym(handle, "vv_plugin");
    if (found == NULL)
        return vv_arena_printf(
            arena, "%s exports no symbol vv_plugin; end its main file with VV_PLUGIN(...)", path);
    if (dladdr1(found, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 || symbol == NULL ||
        ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT)
        return vv_arena_printf(
            arena, "the symbol vv_plugin of %s is not data; let VV_PLUGIN(...) define it", path);
    *ret_descriptor = found;
    *ret_size = symbol->st_size;
    return NULL;
}
