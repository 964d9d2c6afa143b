// SPDX-License-Identifier: Apache-2.0
//! A large program: 6 MB of code that is never run, and constants from the file DATA names, if it does.
use std::arch::global_asm;

#[cfg(large)]
global_asm!(
    ".globl never_run",
    "never_run:",
    ".rept 1200000",
    "movl $1, %eax",
    ".endr",
    "ret",
    options(att_syntax)
);

#[cfg(large)]
static CONSTANTS: &[u8] = include_bytes!(env!("DATA"));

#[cfg(large)]
extern "C" {
    fn never_run();
}

fn main() {
    #[cfg(large)]
    {
        if std::env::args().count() > 1000 {
            unsafe { never_run() };
        }
        println!("{}", CONSTANTS[std::env::args().count()]);
    }
    #[cfg(not(large))]
    println!("small");
}
