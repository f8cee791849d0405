// Stands for a library whose later version has dropped what the worker calls.
int ridge_ghost_of_another_version() { return 4; }
