/*
 * The verifier role: holds the password files of one port and checks passwords for that port's
 * workers, which never see a hash. Its states and its rules are a holder's (role/holder.h).
 *
 * A hash takes as long as the file's administrator wanted it to, up to a second. So requests wait
 * in the channels, each loop has one of them under way, and the loops get their turn.
 */
#ifndef VERIFIER_VERIFIER_H
#define VERIFIER_VERIFIER_H

#include "role/role.h"

/* Continues after role_begin(); returns the exit status (sysexits(3)). */
int verifier_main(struct role *);

#endif
