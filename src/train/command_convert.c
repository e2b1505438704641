/* joulery convert: weights of Keras into safetensors. */
#include "base/file.h"
#include "base/text.h"
#include "train/from_keras.h"
#include "train/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int convert(const char *path, const char *output, double width)
{
    struct error error = ERROR_INIT;
    struct from_keras found;
    if (from_keras(path, output, width, &found, &error) < 0)
        return program_fail("convert", &error, PROGRAM_FAILED);
    printf("%s: %zu tensors of %s", output, found.tensors, found.architecture);
    if (found.head)
        printf(", %zu outputs\n", found.classes);
    else
        printf(", without a head: in training it starts anew\n");
    if (found.left_out)
        printf("left out, as not of %s: %s\n", found.architecture, found.left_out);
    free(found.left_out);
    fflush(stdout);
    return PROGRAM_DONE;
}

/* In a process of its own: a file that means harm may bring the HDF5 library down. What was read is written
 * only when all of it is known, so that nothing of it is left then. */
static int convert_apart(const char *path, const char *output, double width)
{
    struct error error = ERROR_INIT;
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(convert(path, output, width));
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        error_errno(&error, errno, "process");
        return program_fail("convert", &error, PROGRAM_FAILED);
    }
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    error_set(&error, "%s: the HDF5 library failed on it (%s): the file is broken", path,
              strsignal(WTERMSIG(status)));
    return program_fail("convert", &error, PROGRAM_FAILED);
}

int command_convert(int argc, char **argv)
{
    struct error error = ERROR_INIT;
    const char *output = NULL;
    double width = 1;
    const struct option options[] = {
        {"--output", 'o', OPTION_TEXT, &output, "FILE", "the safetensors to write", 0, 0},
        {"--width", 0, OPTION_NUMBER, &width, "X", "of the channels, where they were scaled (1)", 0.001, 64},
    };
    const struct command_line line = {
        .usage = "joulery convert FILE.h5 -o FILE.safetensors",
        .purpose =
            "Converts weights of keras.applications' VGG16, VGG19 and ResNet50, with or without their\n"
            "heads, for --weights.",
        .example = "joulery convert vgg16_weights_tf_dim_ordering_tf_kernels.h5 -o vgg16.safetensors",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return program_parse_result(parsed, "convert", &error);
    if (!output || strcmp(output, "-") == 0) {
        error_set(&error, "expected -o FILE: the safetensors to write");
        return program_fail("convert", &error, PROGRAM_USAGE);
    }
    if (file_check_writable(output, &error) < 0)
        return program_fail("convert", &error, PROGRAM_FAILED);
    return convert_apart(operands.items[0], output, width);
}
