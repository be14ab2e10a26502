/* The symbol is there, but it is code. */
__attribute__((visibility("default"))) int vv_plugin(void);

int vv_plugin(void)
{
    return 0;
}
