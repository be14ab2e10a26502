/* Opens a plugin's file: looks at its first bytes, loads it, finds the one symbol and its memory.
 */
#include "plugin_parts.h"
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>

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

/* The beginning of an ELF file. False: errno says why, or it is too short (0). */
static bool image_header(const char *path, Elf64_Ehdr *ret_header)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    memset(ret_header, 0, sizeof *ret_header);
    if (fd < 0)
        return false;
    errno = 0;
    length = read(fd, ret_header, sizeof *ret_header);
    close(fd);
    /* The fields we look at lie at the same place in files of 32 bits. */
    return length >= (ssize_t)(offsetof(Elf64_Ehdr, e_machine) + sizeof ret_header->e_machine);
}

/* dlopen's own words about a file for another machine differ from libc to libc; ours do not. */
static const char *image_check_file(struct vv_arena *arena, const char *path)
{
    Elf64_Ehdr header, own;

    if (!image_header(path, &header)) {
        if (errno != 0)
            return vv_arena_printf(arena, "%s cannot be read: %s; mend its permissions", path,
                                   strerror(errno));
        return vv_arena_printf(arena, "%s is empty or cut short; build or install it again", path);
    }
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return vv_arena_printf(arena, "%s is not a shared object; build or install it again", path);
    if (image_header("/proc/self/exe", &own) &&
        (header.e_machine != own.e_machine || header.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
         header.e_ident[EI_DATA] != own.e_ident[EI_DATA]))
        return vv_arena_printf(
            arena, "%s was built for another kind of machine; build it for this one", path);
    return NULL;
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
    /* Never unloaded: ten years of use after unload are other people's. */
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
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
