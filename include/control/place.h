/*
 * Where a server makes its control socket if its configuration names none: the folder, and the
 * names in it. The server and bulkheadctl find each other only by these rules.
 *
 * In every folder only its owner can write, so that no other user can put a socket there or remove
 * one. Therefore there is none under /tmp. The folders are, in this order:
 *
 *   the first of $RUNTIME_DIRECTORY     a service's own, systemd.exec(5)
 *   /run/bulkhead                       root's and the packaged service's
 *   $XDG_RUNTIME_DIR/bulkhead           of the user's session; or, without it,
 *   /run/user/UID/bulkhead
 *   $XDG_STATE_HOME/bulkhead            or $HOME/.local/state/bulkhead, for users without a
 *                                       session
 *
 * The first server in a folder uses control.sock there, each further one control-PID.sock.
 */
#ifndef CONTROL_PLACE_H
#define CONTROL_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CONTROL_FOLDERS_MAX  5
#define CONTROL_FOLDER_MAX   79 /* bytes with the terminator: the longest name still fits */
#define CONTROL_NAME         "control.sock"
#define CONTROL_NAME_FURTHER "control-%d.sock" /* with the pid */

/* The inputs of the choice; NULL for variables that are not set. */
struct control_surroundings {
	uid_t uid; /* effective */
	const char *runtime_directory, *xdg_runtime_dir, *xdg_state_home, *home;
};

struct control_folder {
	char path[CONTROL_FOLDER_MAX];
	size_t base_len; /* this many bytes of path must exist; the rest may be made */
	bool packaged;   /* /run/bulkhead */
};

struct control_folders {
	size_t count;
	struct control_folder list[CONTROL_FOLDERS_MAX];
};

/* Reads them from the environment of this process. */
void control_surroundings_read(struct control_surroundings *);

/* Pure: lists the folders that this user may have, whether or not they exist. Root has the first
 * two. */
void control_folders_list(struct control_folders *, const struct control_surroundings *);

/* Pure: is this the name of a server's socket in such a folder? */
bool control_name_is_ours(const char *name);

/* Is it a directory of this user in which no other user can write? Returns 0, or -errno; -EPERM:
 * others could put files there. Examines at most CONTROL_FOLDER_MAX bytes of path. */
int control_folder_check(const char *path, uid_t);

/* Makes it if it is missing, with mode 0700 (/run/bulkhead: 0755, because it contains the empty
 * root), and checks it. Returns 0 or -errno. */
int control_folder_make(const struct control_folder *, uid_t);

/* For root: makes /run/bulkhead if it is missing, so that other users can look into it whatever the
 * umask is. Returns 0 or -errno. */
int control_packaged_make(void);

#endif
