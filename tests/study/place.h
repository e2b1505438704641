/* place.h: a folder with a study and its database, and the program run in it as users run it. */
#ifndef JOULERY_TESTS_STUDY_PLACE_H
#define JOULERY_TESTS_STUDY_PLACE_H

#include <sys/types.h>

struct place {
    char *folder, *study, *database, *talk;
};

struct place make_place(const char *study);
void remove_place(struct place *place);
#define AUTO_PLACE __attribute__((cleanup(remove_place)))

void write_text(const char *path, const char *text);

/* Path of joulery; the caller frees it. */
char *program(void);
/* `joulery study run` with one more argument or NULL, its standard error in place->talk. */
pid_t start(const struct place *place, const char *more);
/* The exit status, or minus the signal. */
int wait_for(pid_t child);
void run_study(const struct place *place, const char *more, int expected);

/* What the last start wrote to standard error; the caller frees it. */
char *talk_of(const struct place *place);
void expect_talk(const struct place *place, const char *words);
/* The first column of the first row, as text. */
void expect(const struct place *place, const char *sql, const char *expected);

#endif
