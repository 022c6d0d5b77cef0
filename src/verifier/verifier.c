/*
 * The verifier role, from its first message to its end. It receives its files open, and reads them
 * after it gave up its privileges. Must never face the network, nor say more of a password than
 * whether it is right.
 */
#include "verifier/verifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syslog.h>
#include <sysexits.h>

#include "base/err.h"
#include "base/fd.h"
#include "ipc/password.h"
#include "role/holder.h"
#include "verifier/passwords.h"

/* A password to check may wait until workers have had their turn on a processor. */
#define NICENESS 5
/* Each can take a second, and with them all the master must not wait long enough to believe that
 * this process hangs (HASH_TIMEOUT_MS). */
#define TURN_HASHES 4

struct verifier {
	struct holder holder;     /* first */
	struct passwords **files; /* indexed like the port's; owned */
	size_t count;
};

static void files_load(struct verifier *v)
{
	struct role *r = v->holder.role;
	struct ipc_files files = {{0}};
	struct err err;
	const size_t count = role_count(r, IPC_FD_PASSWORDS);
	if (count != r->port->passwords_count)
		role_fail(r, EX_SOFTWARE, "its password files do not fit the configuration");
	v->files = calloc(count, sizeof(struct passwords *));
	if (v->files == NULL)
		role_fail(r, role_status(r, ENOMEM), "out of memory");
	for (; v->count < count; v->count++) {
		int fd = role_take(r, IPC_FD_PASSWORDS, v->count);
		const int error = passwords_load(fd, r->port->passwords[v->count].path,
						 files.digest, &v->files[v->count], &err);
		fd_close(&fd);
		if (error < 0)
			role_fail(r, error == -EAGAIN ? role_status(r, ENOMEM) : EX_CONFIG, "%s",
				  err.text);
		if (passwords_count(v->files[v->count]) == 0)
			log_write(&r->log, LOG_WARNING, PASSWORDS_NOBODY,
				  r->port->passwords[v->count].path);
	}
	role_tell(r, IPC_FILES, &files, sizeof(files));
}

static enum ipc_password_status judge(const struct verifier *v,
				      const struct ipc_password_request *request)
{
	static const enum ipc_password_status answers[] = {[PASSWORDS_RIGHT] = IPC_PASSWORD_RIGHT,
							   [PASSWORDS_WRONG] = IPC_PASSWORD_WRONG,
							   [PASSWORDS_FAILED] =
							       IPC_PASSWORD_FAILED};
	return answers[passwords_check(v->files[request->file], request->data, request->user_len,
				       request->data + request->user_len, request->password_len)];
}

static int verifier_serve(struct holder_channel *c)
{
	struct verifier *v = (struct verifier *)c->owner;
	struct ipc_counters *counters = &v->holder.role->slots[0].counters;
	struct ipc_password_request request;
	const int n = ipc_password_receive_request(c->io.fd, &request);
	if (n != 1)
		return n;
	if (request.file >= v->count)
		return -EBADMSG;
	const struct ipc_password_answer answer = {.id = request.id, .status = judge(v, &request)};
	explicit_bzero(&request, sizeof(request));
	if (answer.status == IPC_PASSWORD_RIGHT)
		ipc_slot_add(&counters->passwords_right, 1);
	else if (answer.status == IPC_PASSWORD_WRONG)
		ipc_slot_add(&counters->passwords_wrong, 1);
	/* A worker that sends requests and does not read gets no answer. */
	(void)ipc_password_answer(c->io.fd, &answer);
	return 1;
}

static const struct holder_ops ops = {
    .serve = verifier_serve, .protocol = "the password protocol", .turn_requests = TURN_HASHES};

int verifier_main(struct role *r)
{
	struct verifier v = {.holder = {.role = r, .ops = &ops}};
	const struct conf_port *port = r->port;

	(void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICENESS);
	/* the channels count twice: old and new workers overlap */
	role_confine(r, SANDBOX_VERIFIER,
		     ROLE_DESCRIPTORS + 2 * (uint64_t)port->workers * port->threads +
			 port->passwords_count);
	files_load(&v);
	const int status = holder_run(&v.holder);
	for (size_t i = 0; i < v.count; i++)
		passwords_free(v.files[i]);
	free(v.files);
	return status;
}
