/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancellation of a thread that is in our code. Up to glibc 2.40 a cancellable call may be cancelled at any
 * instruction around it: the signal's handler unwinds from where the thread was. From a stub or a
 * gate there is no way on for an unwinder; so the handler is shown the place the stub stands for.
 */
#ifndef SCOPE_PATCH_X86_64_CANCEL_H
#define SCOPE_PATCH_X86_64_CANCEL_H

#include "patch/patch.h"

/* A handler that is there already is wrapped. Pre: unwinders find this library's tables. */
void sc_cancel_start(void);

/* The handler is put back. */
void sc_cancel_stop(void);

/* Before rt_sigaction: the handler of the cancellation signal is wrapped when it is set. */
void sc_cancel_sigaction(struct sc_call *call);

/* start.c: the place of the program a place in our stubs stands for. 1, 0: ip is in no stub. */
int sc_patch_place(uint64_t ip, uint64_t *va, uint32_t *shift);

#endif
