#include "base/text.h"
#include "study/study.h"
#include "study/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct study *parse(const char *text, struct error *error)
{
    return study_parse("/studies/a.yaml", text, strlen(text), error);
}

#define HEAD "name: a\nfactors:\n  arch: [lenet5, vgg16]\n"

static void a_study_file_is_read_whole(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct study *study = parse("# a comment\n"
                                "name: quick\n"
                                "question: Which network buys the most accuracy per joule?\n"
                                "seed: 7\n"
                                "repetitions: 3\n"
                                "order: listed\n"
                                "cooldown: 2.5\n"
                                "timeout: 600\n"
                                "location: Côte d'Ivoire\n"
                                "pue: 1.2\n"
                                "directory: scratch\n"
                                "factors:\n"
                                "  arch: [lenet5, 'vgg16']\n"
                                "  size:\n"
                                "    - 32\n"
                                "    - 64\n"
                                "train:\n"
                                "  data: shapes:3000\n"
                                "  lr: 1e-2\n",
                                &error);
    if (!study)
        fail_msg("%s", error_text(&error));
    assert_string_equal(study->name, "quick");
    assert_string_equal(study->question, "Which network buys the most accuracy per joule?");
    assert_true(study->seed == 7 && study->repetitions == 3 && study->order == ORDER_LISTED &&
                study->folder == FOLDER_SCRATCH && study->cooldown.least_s == 2.5 &&
                study->timeout_s == 600 && study->pue == 1.2);
    assert_string_equal(study->location.text, "Côte d'Ivoire");
    assert_int_equal(study->location.line, 9);
    assert_int_equal(study->factor_count, 2);
    assert_string_equal(study->factors[1].name.text, "size");
    assert_string_equal(study->factors[1].levels[1].text, "64");
    assert_int_equal(study->factors[1].levels[1].line, 16);
    assert_int_equal(study->option_count, 2);
    assert_string_equal(study->options[1].value.text, "1e-2");
    assert_int_equal(study->command_count, 0);
    study_free(study);
}

static void what_is_done_around_runs_is_read(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct study *study =
        parse(HEAD "warm_up: true\nidle: 30\ncooldown: {least: 5, most: 120, power: 5%, temperature: 2}\n"
                   "retries: 2\nkeep: failed\ncommand: x {arch} {scratch}\n",
              &error);
    if (!study)
        fail_msg("%s", error_text(&error));
    assert_true(study->warm_up && study->idle_s == 30 && study->retries == 2 && study->keep == KEEP_FAILED);
    assert_true(study->cooldown.least_s == 5 && study->cooldown.most_s == 120 &&
                study->cooldown.power_share == 0.05 && study->cooldown.temperature_k == 2);
    study_free(study);
}

static void a_command_is_a_text_or_a_list(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    static const char *const forms[] = {
        HEAD "command: python3 'my train.py' --arch {arch}\n",
        HEAD "command: [python3, my train.py, --arch, '{arch}']\n",
        HEAD "command:\n  - python3\n  - my train.py\n  - --arch\n  - \"{arch}\"\n",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct study *study = parse(forms[i], &error);
        if (!study)
            fail_msg("%s", error_text(&error));
        assert_int_equal(study->command_count, 4);
        assert_string_equal(study->command[1].text, "my train.py");
        assert_string_equal(study->command[3].text, "{arch}");
        study_free(study);
    }
}

static void mistakes_are_named_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "/studies/a.yaml:1: the file is empty"},
        {"- a\n", "/studies/a.yaml:1: expected keys such as name: and factors:, found a list"},
        {"name: a\nrepetition: 3\n", ":2: unknown key 'repetition' (did you mean repetitions?)"},
        {"name: a\nxyzzyplugh: 3\n", ":2: unknown key 'xyzzyplugh': a study has name"},
        {HEAD "seed: many\n",
         ":4: expected a seed: a whole number from 0 to 9223372036854775807, found 'many'"},
        {HEAD "seed: -1\n", ":4: expected a seed"},
        {HEAD "repetitions: 0\n", ":4: expected repetitions: a whole number from 1 to 10000, found '0'"},
        {HEAD "repetitions: 2.5\n", ":4: expected repetitions"},
        {HEAD "repetitions: [3]\n", ":4: expected repetitions: a whole number from 1 to 10000, found a list"},
        {HEAD "cooldown: -5\n", ":4: expected a cool-down: seconds from 0 to 86400, found '-5'"},
        {HEAD "timeout: 10 min\n", ":4: expected a timeout: seconds"},
        {HEAD "pue: 0.5\n", ":4: expected a power usage effectiveness: a number from 1 to 10, found '0.5'"},
        {HEAD "order: random\n", ":4: expected shuffled, completely shuffled or listed, found 'random'"},
        {HEAD "directory: /tmp\n", ":4: expected study or scratch, found '/tmp'"},
        {HEAD "location:\n", ":4: expected a location: an ISO country code or a name, found nothing"},
        {"name: ~\n", ":1: expected a name for the study, for example quick, found nothing"},
        {"name: a\nname: b\n", ":2: 'name' stands here twice"},
        {"factors:\n  arch: [x]\ntrain: {}\n", ":1: the study has no name"},
        {"name: a\ntrain: {}\n", "the study has no factors"},
        {"name: a\nfactors: {}\ntrain: {}\n", ":2: the study has no factors"},
        {"name: a\nfactors: [arch]\n",
         ":2: expected factors, each with a list of levels, as in arch: [lenet5, "
         "vgg16], found a list"},
        {"name: a\nfactors:\n  arch: lenet5\n",
         ":3: factor 'arch': expected a list of levels such as [a, b], found a "
         "single value"},
        {"name: a\nfactors:\n  arch: []\n", ":3: factor 'arch' has no levels"},
        {"name: a\nfactors:\n  arch:\n", ":3: factor 'arch' has no levels"},
        {"name: a\nfactors:\n  arch: [a, [b]]\n", ":3: expected a level: a word or a number, found a list"},
        {"name: a\nfactors:\n  arch: [a, ]\n  lr:\n    - 1\n    -\n",
         ":6: expected a level: a word or a number, found "
         "nothing"},
        {"name: a\nfactors:\n  lr:\n    - 1\n    - 2\n    - 1\n", ":6: factor 'lr' has the level '1' twice"},
        {"name: a\nfactors:\n  lr: [1]\n  lr: [2]\n", ":4: factor 'lr' stands here twice"},
        {HEAD, ":1: the study has no workload: add train: with options of joulery train, or command:"},
        {HEAD "train:\n  epochs: 3\ncommand: x {arch}\n", ":6: a study has one workload"},
        {HEAD "train:\n  epoch: 3\n", ":5: joulery train has no option 'epoch' (did you mean epochs?)"},
        {HEAD "train:\n  seed: 3\n", ":5: each repetition has a seed of its own"},
        {HEAD "train:\n  arch: vgg16\n", ":5: 'arch' is a factor already"},
        {HEAD "train:\n  lr: 1\n  lr: 2\n", ":6: 'lr' stands here twice"},
        {HEAD "train:\n  lr: [1, 2]\n", ":5: expected a single value, found a list"},
        {HEAD "train:\n  augment: 3\n",
         ":5: augment: expected true, false or what `joulery train -h` says of it, found '3'"},
        {HEAD "train:\n  nesterov: paper\n", ":5: nesterov: expected true or false, found 'paper'"},
        {HEAD "train: yes\n", ":4: expected options of joulery train, as in epochs: 3, found a single value"},
        {"name: a\nfactors:\n  colour: [red]\ntrain: {}\n", ":3: joulery train has no option 'colour'"},
        {HEAD "cooldown: {least: 5}\n",
         ":4: cooldown: expected most: seconds after which a run begins in any case, more than least (5)"},
        {HEAD "cooldown: {most: 5, until: 3}\n",
         ":4: cooldown: expected least, most, power or temperature, found 'until'"},
        {HEAD "cooldown: {most: 5, power: 3}\n",
         ":4: expected a share of the power at rest, such as 10%, found '3'"},
        {HEAD "cooldown: [5]\n", ":4: expected seconds, or most: SECONDS"},
        {HEAD "until: {response: energy}\n", ":4: until: expected interval: a share of the mean, such as 5%"},
        {HEAD "until: {interval: 0.05}\n", ":4: expected a share of the mean, such as 5%, found '0.05'"},
        {HEAD "until: {interval: 5%, response: speed}\n",
         ":4: expected energy, duration or accuracy, found 'speed'"},
        {HEAD "until: {interval: 5%, least: 3}\n",
         ":4: until: expected interval, response or most, found 'least'"},
        {HEAD "until: 5%\n",
         ":4: expected a rule, as in {interval: 5%, response: energy, most: 20}, found a single value"},
        {HEAD "until: {interval: 5%, most: 3}\nrepetitions: 4\ntrain: {}\n",
         ":4: until: at most 3 repetitions, and repetitions: asks for 4"},
        {HEAD "until: {interval: 5%}\norder: completely shuffled\ntrain: {}\n",
         ":4: a study that is completely shuffled can't be extended"},
        {HEAD "budget: 2\n", ":4: expected an energy, such as 2kWh or 500 kJ, found '2'"},
        {HEAD "warm_up: maybe\n", ":4: expected false or true, found 'maybe'"},
        {HEAD "idle: 1\n", ":4: expected seconds at rest: a whole number from 2 to 14400, found '1'"},
        {HEAD "keep: always\n", ":4: expected false, failed or true, found 'always'"},
        {HEAD "keep: true\ntrain: {}\n", ":4: keep: nothing uses the runs' own folders"},
        {HEAD "retries: -1\n", ":4: expected retries: a whole number from 0 to 100, found '-1'"},
        {HEAD "exclude: {arch: vgg16}\ntrain: {}\n",
         ":4: expected a list, an item for each combination to leave out, found keys with values"},
        {HEAD "exclude:\n  - {}\ntrain: {}\n", ":5: expected factors with levels, as in"},
        {HEAD "exclude:\n  - {arhc: vgg16}\ntrain: {}\n",
         ":5: exclude: the study has no factor 'arhc' (did you mean arch?)"},
        {HEAD "exclude:\n  - {arch: vgg19}\ntrain: {}\n", ":5: exclude: factor 'arch' has no level 'vgg19'"},
        {HEAD "exclude:\n  - {arch: []}\ntrain: {}\n", "found an empty list"},
        {HEAD "exclude:\n  - {arch: vgg16, arch: lenet5}\ntrain: {}\n",
         ":5: factor 'arch' stands here twice"},
        {HEAD "exclude:\n  - {arch: [vgg16, lenet5]}\ntrain: {}\n",
         ":5: exclude: no combination is left to run"},
        {HEAD "runs:\n  - {arch: vgg16}\ntrain: {}\n", ":5: runs: lists the combinations and factors: makes"},
        {"name: a\nruns: []\ntrain: {}\n",
         ":2: expected a list, an item for each combination to run, found an empty one"},
        {"name: a\nruns:\n  - {arch: [a, b]}\ntrain: {}\n",
         ":3: expected a level: a word or a number, found a list"},
        {"name: a\nruns:\n  - {arch: a, lr: 1}\n  - {arch: b}\ntrain: {}\n",
         ":4: runs: expected a level for each of the 2 factors, found 1"},
        {"name: a\nruns:\n  - {arch: a, lr: 1}\n  - {lr: 1, arch: a}\ntrain: {}\n",
         ":4: runs: the combination of line 3 stands here again"},
        {HEAD "block: size\ntrain: {}\n", ":4: block: the study has no factor 'size'"},
        {HEAD "block: arch\norder: completely shuffled\ntrain: {}\n",
         ":4: block: a study that is completely shuffled has no blocks"},
        {HEAD "fixed: {epochs: 3}\ntrain: {}\n", ":4: fixed: is for command:"},
        {HEAD "fixed: {arch: x}\ncommand: x {arch}\n", ":4: 'arch' is a factor already"},
        {HEAD "fixed: {a b: x}\ncommand: x {arch}\n", ":4: 'a b' can't stand in braces"},
        {HEAD "fixed: {epochs: 3}\ncommand: x {arch}\n",
         ":4: setting 'epochs' changes nothing: put {epochs} into the command"},
        {HEAD "command: train --arch {arhc}\n", ":4: command: unknown placeholder {arhc}"},
        {HEAD "command:\n  - train\n  - '{x}'\n", ":6: command: unknown placeholder {x}"},
        {HEAD "command: train --arch vgg16\n",
         ":3: factor 'arch' changes nothing: put {arch} into the command"},
        {HEAD "command: train 'x {arch}\n", ":4: command: a single quote is not closed"},
        {HEAD "command: ''\n", ":4: command: the command is empty"},
        {HEAD "command: []\n", ":4: command: the command is empty"},
        {HEAD "command:\n  a: b\n",
         ":5: expected a command: words, or a list of words, found keys with values"},
        {"name: a\nfactors:\n\tarch: [a]\n",
         "/studies/a.yaml:3:1: found character that cannot start any token"},
        {"name: 'a\n", "/studies/a.yaml:2:1: found unexpected end of stream"},
        {HEAD "train: {}\n---\nname: b\n", ":6: a file holds one study, a second starts here"},
        {"name: \xff\n", "expected YAML in UTF-8"},
        {"name: a\nrepetitions: 10000\nfactors:\n  a: [1,2,3,4,5,6,7,8,9,10]\n  b: [1,2,3,4,5,6,7,8,9,10]\n"
         "  c: [1,2,3,4,5,6,7,8,9,10]\ncommand: x {a} {b} {c}\n",
         "the factors and repetitions make more than 1000000 runs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct study *study = parse(cases[i].text, &error);
        if (study || !strstr(error_text(&error), cases[i].message))
            fail_msg("%s\nexpected '%s', found '%s'", cases[i].text, cases[i].message, error_text(&error));
        error_clear(&error);
    }
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    assert_null(study_load("/no/such.yaml", &error));
    assert_string_equal(error_text(&error), "/no/such.yaml: No such file or directory");
    error_clear(&error);
}

static char *fingerprint(const char *text)
{
    struct error error = ERROR_INIT;
    struct study *study = parse(text, &error);
    if (!study)
        fail_msg("%s", error_text(&error));
    char *result = study_fingerprint(study);
    study_free(study);
    assert_non_null(result);
    return result;
}

static void the_fingerprint_holds_what_decides_the_runs(void **state)
{
    (void)state;
    AUTO_FREE char *base = fingerprint(HEAD "train:\n  epochs: 3\n  lr: 0.1\n");
    static const char *const same[] = {
        "# other\nname: b\nquestion: What?\nlocation: SWE\npue: 1.1\nrepetitions: 9\nfactors: {arch: "
        "[lenet5, "
        "vgg16]}\ntrain: {lr: 0.1, epochs: 3}\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\nseed: 1\norder: shuffled\ncooldown: 0\ntimeout: 0\ndirectory: "
             "study\nwarm_up: false\nretries: 3\nuntil: {interval: 5%}\nbudget: 2kWh\n",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        AUTO_FREE char *other = fingerprint(same[i]);
        assert_string_equal(base, other);
    }
    static const char *const different[] = {
        HEAD "train:\n  epochs: 4\n  lr: 0.1\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\nseed: 2\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\norder: listed\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\ncooldown: 1\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\ntimeout: 1\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\ndirectory: scratch\n",
        HEAD "command: train {arch}\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\nwarm_up: true\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\nidle: 10\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\ncooldown: {most: 10}\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\norder: completely shuffled\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\norder: completely shuffled\nrepetitions: 2\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\nblock: arch\n",
        HEAD "train:\n  epochs: 3\n  lr: 0.1\nexclude: [{arch: vgg16}]\n",
        "name: a\nruns: [{arch: lenet5}, {arch: vgg16}]\ntrain:\n  epochs: 3\n  lr: 0.1\n",
        "name: a\nfactors:\n  arch: [vgg16, lenet5]\ntrain:\n  epochs: 3\n  lr: 0.1\n",
    };
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        AUTO_FREE char *other = fingerprint(different[i]);
        assert_string_not_equal(base, other);
    }
}

static void words_are_split_as_a_shell_would(void **state)
{
    (void)state;
    static const struct {
        const char *text, *joined;
    } cases[] = {
        {"a b", "a|b"},
        {"  a\t b\n", "a|b"},
        {"'a b' \"c d\"", "a b|c d"},
        {"a' 'b\" \"c", "a b c"},
        {"\"say \\\"x\\\" \\\\ \\n\"", "say \"x\" \\ \\n"},
        {"a\\ b \\' \\\\", "a b|'|\\"},
        {"'' \"\"", "|"},
        {"$HOME `x` *", "$HOME|`x`|*"},
        {"zug\\äst", "zugäst"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        size_t count;
        char **words = words_split(cases[i].text, &count, &error);
        assert_non_null(words);
        struct text joined = TEXT_INIT;
        for (size_t k = 0; k < count; k++)
            text_printf(&joined, "%s%s", k ? "|" : "", words[k]);
        assert_string_equal(joined.data ? joined.data : "", cases[i].joined);
        text_free(&joined);
        words_free(words, count);
    }
    static const char *const wrong[] = {"", "  ", "'a", "\"a", "\"a\\\"", "a \\"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error error = ERROR_INIT;
        size_t count;
        assert_null(words_split(wrong[i], &count, &error));
        assert_non_null(error.message);
        error_clear(&error);
    }
}

static const char *value_of(void *context, const char *name, size_t length)
{
    (void)context;
    return length == 4 && strncmp(name, "arch", 4) == 0 ? "vgg 16" : NULL;
}

static void placeholders_are_filled(void **state)
{
    (void)state;
    static const struct {
        const char *word, *filled;
    } cases[] = {
        {"{arch}", "vgg 16"},         {"--a={arch}.{arch}", "--a=vgg 16.vgg 16"},
        {"{{arch}}", "{arch}"},       {"{}", "{}"},
        {"{print $1}", "{print $1}"}, {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
        {"{arch", "{arch"},           {"arch}", "arch}"},
        {"{{arch}", "{vgg 16"},       {"{ {arch} }", "{ vgg 16 }"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        AUTO_FREE char *filled = words_fill(cases[i].word, value_of, NULL, &error);
        if (!filled || strcmp(filled, cases[i].filled) != 0)
            fail_msg("%s: expected %s, found %s", cases[i].word, cases[i].filled,
                     filled ? filled : error_text(&error));
    }
    struct error error = ERROR_INIT;
    assert_null(words_fill("x{HOME}", value_of, NULL, &error));
    assert_string_equal(error_text(&error), "unknown placeholder {HOME}");
    error_clear(&error);
}

/* An option as the trainer's help has it: one without a value is followed by blanks alone. */
static void check_option(const char *name, bool is_flag)
{
    static const char *const not_for_studies[] = {"seed",       "json",   "log-steps", "save",
                                                  "checkpoint", "resume", "help"};
    bool allowed = true;
    for (size_t i = 0; i < sizeof not_for_studies / sizeof *not_for_studies; i++)
        allowed = allowed && strcmp(name, not_for_studies[i]) != 0;
    AUTO_FREE char *text = text_format("name: a\nfactors:\n  %s: [x]\ntrain:\n  %s: %s\n",
                                       strcmp(name, "arch") ? "arch" : "size", name, is_flag ? "true" : "1");
    struct error error = ERROR_INIT;
    struct study *study = parse(text, &error);
    if (!study != !allowed || (allowed && study_option_is_flag(name) != is_flag))
        fail_msg("joulery train has --%s, src/study/ is of another opinion: %s", name, error_text(&error));
    study_free(study);
    error_clear(&error);
}

static void a_study_knows_just_the_options_that_the_trainer_has(void **state)
{
    (void)state;
    AUTO_FREE char *command = text_format("%s/joulery-train train -h", getenv("JOULERY_BIN"));
    FILE *help = popen(command, "r");
    assert_non_null(help);
    size_t capacity = 0, count = 0;
    char *line = NULL;
    while (getline(&line, &capacity, help) > 0) {
        char *name = strncmp(line, "  -", 3) == 0 ? strstr(line, "--") : NULL;
        if (!name)
            continue;
        name += 2;
        size_t length = strcspn(name, " \n");
        /* also one whose value may be left out: "[LIST]" */
        bool is_flag = name[length] != ' ' || name[length + 1] == ' ' || name[length + 1] == '[';
        name[length] = '\0';
        check_option(name, is_flag);
        count++;
    }
    free(line);
    assert_int_equal(pclose(help), 0);
    assert_int_equal(count, STUDY_TRAIN_OPTIONS +
                                6); /* --json, --log-steps, --save, --checkpoint, --resume, --help */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_study_file_is_read_whole),
        cmocka_unit_test(what_is_done_around_runs_is_read),
        cmocka_unit_test(a_command_is_a_text_or_a_list),
        cmocka_unit_test(mistakes_are_named_with_their_line),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(the_fingerprint_holds_what_decides_the_runs),
        cmocka_unit_test(words_are_split_as_a_shell_would),
        cmocka_unit_test(placeholders_are_filled),
        cmocka_unit_test(a_study_knows_just_the_options_that_the_trainer_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
