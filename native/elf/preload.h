/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a program bears a library in LD_PRELOAD. */
#ifndef SCOPE_ELF_PRELOAD_H
#define SCOPE_ELF_PRELOAD_H

/*
 * 0 when an x86-64 library in LD_PRELOAD would make the program behave otherwise than without: one
 * of another word size, whose loader would complain; one with the address sanitizer's runtime,
 * which ends the program unless it is the first library. 1 else, for scripts and unreadable files
 * too. Reads the file, maps nothing.
 */
int sc_elf_preloadable(const char *path);

#endif
