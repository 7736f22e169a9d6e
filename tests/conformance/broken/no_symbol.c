/* A shared object that is no plugin at all. */
int not_a_plugin(void);

int not_a_plugin(void)
{
    return 1;
}
