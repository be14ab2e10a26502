/* A shared object that is no plugin. */
int nosymbol(void);

int nosymbol(void)
{
    return 0;
}
