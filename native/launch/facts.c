// SPDX-License-Identifier: Apache-2.0
// What Node cannot ask the kernel, for `scope doctor`. Layer 5.
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#include "launch/launch.h"

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif

/*
 *	capabilities   FILE has some of its own (security.capability)
 *	mdwe           no memory of this shell and its children becomes executable (PR_SET_MDWE)
 */
int sc_facts(const char *file)
{
	if (file && getxattr(file, "security.capability", NULL, 0) > 0)
		puts("capabilities");
	if (prctl(PR_GET_MDWE, 0L, 0L, 0L, 0L) > 0)
		puts("mdwe");
	return 0;
}
