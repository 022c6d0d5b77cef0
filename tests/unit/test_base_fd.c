/* Descriptors: sealed memory cannot be changed, and a file is read whole or not at all. */
#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void test_close(void **state)
{
	(void)state;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), was = fd;
	errno = ENOTTY;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	fd_close(&fd); /* nothing to do */
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(fcntl(was, F_GETFD), -1);
}

static void test_sealed_memory(void **state)
{
	(void)state;
	char *data;
	size_t len;
	int fd = fd_sealed_memory("test", "port 8000", 9);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), -1);
	assert_ptr_equal(mmap(NULL, 9, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);

	for (int twice = 0; twice < 2; twice++) { /* the offset does not matter */
		assert_int_equal(fd_read_all(fd, 9, &data, &len), 0);
		assert_int_equal(len, 9);
		assert_string_equal(data, "port 8000");
		free(data);
	}
	close(fd);

	fd = fd_sealed_memory("empty", NULL, 0);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, 0, &data, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(data, "");
	free(data);
	close(fd);
}

static void test_read_all_is_bounded(void **state)
{
	(void)state;
	static char big[20000];
	char *data = big;
	size_t len = 77;
	memset(big, 'b', sizeof(big));
	int fd = fd_sealed_memory("big", big, sizeof(big));
	assert_int_equal(fd_read_all(fd, sizeof(big) - 1, &data, &len), -EFBIG);
	assert_int_equal(fd_read_all(fd, 0, &data, &len), -EFBIG);
	assert_ptr_equal(data, big); /* untouched on failure */
	assert_int_equal(len, 77);
	assert_int_equal(fd_read_all(fd, sizeof(big), &data, &len), 0);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(data, big, len);
	assert_int_equal(data[len], 0);
	free(data);
	close(fd);
}

static void test_read_all_of_other_things(void **state)
{
	(void)state;
	char *data = NULL;
	size_t len;
	int fd[2];
	assert_int_equal(fd_read_all(-1, 10, &data, &len), -EBADF);
	int folder = open("/", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_read_all(folder, 10, &data, &len), -EISDIR);
	close(folder);

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(write(fd[1], "piped", 5), 5);
	close(fd[1]);
	assert_int_equal(fd_read_all(fd[0], 10, &data, &len), 0);
	assert_string_equal(data, "piped");
	free(data);
	close(fd[0]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_close),
	    cmocka_unit_test(test_sealed_memory),
	    cmocka_unit_test(test_read_all_is_bounded),
	    cmocka_unit_test(test_read_all_of_other_things),
	};
	return cmocka_run_group_tests_name("base_fd", tests, NULL, NULL);
}
