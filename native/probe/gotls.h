/* SPDX-License-Identifier: Apache-2.0 */
/* Plaintext of Go's crypto/tls. Layer 4. */
#ifndef SCOPE_PROBE_GOTLS_H
#define SCOPE_PROBE_GOTLS_H

#include "patch/patch.h"

/* Handler for sc_patch_options.go_tls. */
void sc_probe_go_tls(struct sc_call *call);

#endif
