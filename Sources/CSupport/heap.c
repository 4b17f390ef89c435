#include "CSupport.h"
#include <malloc.h>

void st_share_heap(void) { mallopt(M_ARENA_MAX, 1); }
