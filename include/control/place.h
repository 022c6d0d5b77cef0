/*
 * Where the control socket of a server is that names none: the folder, and the names in it. The
 * server and bulkheadctl agree by this alone.
 *
 * Every folder is one that nobody else can write in, so that nobody else can put a socket there or
 * take one away: there is none under /tmp. They are, in this order:
 *
 *   the first of $RUNTIME_DIRECTORY     a service's own, systemd.exec(5)
 *   /run/bulkhead                       root's and the packaged service's
 *   $XDG_RUNTIME_DIR/bulkhead           of the user's session; or, without it,
 *   /run/user/UID/bulkhead
 *   $XDG_STATE_HOME/bulkhead            or $HOME/.local/state/bulkhead, for those who have no
 *                                       session
 *
 * The first server in a folder is control.sock there, each further one control-PID.sock.
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

/* What decides; NULL for what is not set. */
struct control_surroundings {
	uid_t uid; /* effective */
	const char *runtime_directory, *xdg_runtime_dir, *xdg_state_home, *home;
};

struct control_folder {
	char path[CONTROL_FOLDER_MAX];
	size_t base_len; /* so many bytes of path have to be there; the rest may be made */
	bool packaged;   /* /run/bulkhead */
};

struct control_folders {
	size_t count;
	struct control_folder list[CONTROL_FOLDERS_MAX];
};

/* From the environment of this process. */
void control_surroundings_read(struct control_surroundings *);

/* Pure: all that this user may have, whether they are there or not. Root has the first two. */
void control_folders_list(struct control_folders *, const struct control_surroundings *);

/* Pure: is this the name of a server's socket in such a folder? */
bool control_name_is_ours(const char *name);

/* Is it a directory of this user's that nobody else can write in? 0, or -errno; -EPERM: others
 * could put something there. path: at most CONTROL_FOLDER_MAX bytes are looked at. */
int control_folder_check(const char *path, uid_t);

/* Makes it if need be, of mode 0700 (/run/bulkhead: 0755, for the empty root is in it), and checks
 * it. 0 or -errno. */
int control_folder_make(const struct control_folder *, uid_t);

#endif
