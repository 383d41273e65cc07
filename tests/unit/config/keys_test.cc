// SPDX-License-Identifier: GPL-2.0-or-later
//
// Keys and the shape of the YAML around them.
#include "tests/unit/config/support.h"

namespace synward::config::test {
namespace {

TEST(ConfigKeys, ReportsMissingOnesAtTheEnclosingMap) {
  EXPECT_EQ(problems_of("# nothing but\n\nhalf_open: {}\n"),
            "3:1: missing key 'interfaces'\n3:1: missing key 'services'\n");
  EXPECT_EQ(problems_of("interfaces:\n  client: [a]\nservices:\n  - backends: ['10.0.0.1:1']\n"),
            "2:3: missing key 'server'\n4:5: missing key 'name'\n4:5: missing key 'listen'\n");
}

TEST(ConfigKeys, AreMissingFromAnEmptyFile) {
  for (const std::string_view yaml : {"", "\n \n", "# comment", "---\n", "~"}) {
    EXPECT_EQ(problems_of(yaml), "1:1: missing key 'interfaces'\n1:1: missing key 'services'\n")
        << yaml;
  }
}

TEST(ConfigKeys, CountAsOneMistakeWhenMisspeltAndRequired) {
  EXPECT_EQ(problems_of("interfaces: {client: [a], serber: [b]}\n"
                        "service: [{name: a, listen: ['10.0.0.1:1']}]\n"),
            "1:27: unknown key 'serber' in interfaces; did you mean 'server'?\n"
            "2:1: unknown key 'service'; did you mean 'services'?\n");
}

TEST(ConfigKeys, AreRefusedAndSuggestedWhenUnknown) {
  EXPECT_EQ(problems_after_required("half-open: {}\n"),
            "3:1: unknown key 'half-open'; did you mean 'half_open'?\n");
  EXPECT_EQ(problems_after_required("splice: {early_data: {totla: 1KiB}}\n"),
            "3:23: unknown key 'totla' in early_data; did you mean 'total'?\n");
  EXPECT_EQ(problems_after_required("colour: red\n"), "3:1: unknown key 'colour'\n");
}

TEST(ConfigKeys, AreRefusedTwice) {
  EXPECT_EQ(problems_after_required("workers: 1\nworkers: bad\n"),
            "4:1: duplicate key 'workers'; it is already on line 3\n");
  EXPECT_EQ(problems_after_required("cookies: {key_file: /a, key_file: /b}\n"),
            "3:25: duplicate key 'key_file'; it is already on line 3\n");
}

TEST(ConfigKeys, AreWords) {
  EXPECT_EQ(problems_after_required("? [a, b]\n: 1\n"), "3:3: a key must be a plain word\n");
  EXPECT_EQ(problems_after_required("~: 1\n"), "3:1: a key must be a plain word\n");
}

TEST(ConfigYaml, RefusesAliasesWhereTheyStand) {
  EXPECT_EQ(problems_after_required("half_open: {high_watermark: &a 80%,\n"
                                    "  low_watermark: *a}\n"),
            "4:18: aliases and merge keys are not supported; write the value out\n");
  EXPECT_EQ(problems_after_required("workers: &unused auto\n"),
            "3:10: anchors are not supported\n");
}

TEST(ConfigYaml, RefusesMergeKeys) {
  EXPECT_EQ(problems_after_required("half_open: {<<: {backlog: 1}}\n"),
            "3:13: merge keys are not supported; write the keys out\n");
  EXPECT_EQ(problems_after_required("cookies: &c {key_file: /a}\ncontrol:\n  <<: *c\n"),
            "5:7: aliases and merge keys are not supported; write the value out\n");
}

TEST(ConfigYaml, RefusesTags) {
  EXPECT_EQ(problems_after_required("workers: !!int 3\n"),
            "3:10: tags are not supported: 'tag:yaml.org,2002:int'\n");
  EXPECT_EQ(problems_after_required("control:\n  socket: ! \"/run/x\nworkers: 7\n"),
            "4:11: tags are not supported: '!'\n");
}

TEST(ConfigYaml, RefusesASecondDocument) {
  EXPECT_EQ(problems_after_required("workers: 0\n---\nworkers: 1\n"),
            "3:10: workers: '0' is out of range; the range is 1 to 64\n"
            "4:1: a second document, or a line not indented like the first\n");
  EXPECT_EQ(problems_of(with_required("...\n")), "");
  EXPECT_EQ(problems_of("---\n" + with_required("")), "");
}

TEST(ConfigYaml, PlacesAnEmptyItemAtItsDash) {
  EXPECT_EQ(problems_of("interfaces:\n  client: [a,, b]\n  server:\n"
                        "    - a\n    -   # none - yet\n\n    # - c\n    - b\n"
                        "services:\n  - # first\r\n  - ~\n  - - x\n    -\n  -"),
            "2:14: client: expected a single value, found nothing\n"
            "5:5: server: expected a single value, found nothing\n"
            "10:3: services: expected a map of keys, found nothing\n"
            "11:3: services: expected a map of keys, found nothing\n"
            "12:5: services: expected a map of keys, found a list\n"
            "14:3: services: expected a map of keys, found nothing\n");
}

// yaml-cpp takes this for two documents and the second line for the second one.
TEST(ConfigYaml, SeesALineThatIsNotIndentedLikeTheFirst) {
  EXPECT_EQ(problems_of("  interfaces: {client: [a], server: [b]}\nservices: []\n"),
            "2:1: a second document, or a line not indented like the first\n");
}

TEST(ConfigYaml, LocatesSyntaxErrors) {
  EXPECT_EQ(problems_after_required("half_open:\n  backlog: 1\n   synack_retries: 1\n"),
            "5:18: YAML: illegal map value\n");
  EXPECT_EQ(problems_after_required("cookies: {key_file: /a\n"),
            "4:1: YAML: end of map flow not found\n");
  EXPECT_EQ(problems_after_required("workers: *nowhere\n"),
            "3:10: YAML: the referenced anchor is not defined\n");
}

TEST(ConfigYaml, RefusesAQuoteThatIsNeverClosed) {
  for (const char quote : {'"', '\''}) {
    for (const auto* const rest : {"/x\n  workres: 7\non_exit: drop\n", "/x\r\nworkers: 7\r\n",
                                   "/x", "", " \n  ", "/\u00e9\n# a comment\n"}) {
      const std::string yaml = std::string("control: # \u00e9\n  socket: ") + quote + rest;
      EXPECT_EQ(problems_after_required(yaml), "4:11: YAML: this quote is never closed\n") << yaml;
    }
  }
  EXPECT_EQ(problems_of("\xef\xbb\xbf'interfaces: {client: [a], server: [b]}\n"),
            "1:1: YAML: this quote is never closed\n");
  EXPECT_EQ(problems_after_required("\"workers\": 1\n\"on_exit: pass\n"),
            "4:1: YAML: this quote is never closed\n");
  EXPECT_EQ(problems_after_required("control: {\"socket: /a}\n"),
            "3:11: YAML: this quote is never closed\n");
}

TEST(ConfigYaml, SeesWhereAQuoteIsClosed) {
  const Settings settings =
      loaded_settings(with_required("cookies: {'key_file': '/it''s'''}\n# 'a comment\n"
                                    "\"control\":\r\n  socket: \t\"/run/\r\n   \\\"\\\\\""));
  EXPECT_EQ(settings.cookies.key_file, "/it's'");
  EXPECT_EQ(settings.control_socket, "/run/ \"\\");
}

TEST(ConfigYaml, SaysWhenATabIsToBlame) {
  EXPECT_EQ(problems_after_required("half_open:\n\tbacklog: 1\n"),
            "4:9: YAML: illegal map value "
            "(the line is indented with a tab; YAML allows spaces only)\n");
}

TEST(ConfigYaml, RefusesBinaryAndOtherEncodings) {
  using namespace std::string_view_literals;
  EXPECT_EQ(problems_of("\x7f"
                        "ELF\x02\x01\x01\x00"sv),
            "1:1: control character 0x7f\n");
  EXPECT_EQ(problems_after_required("# caf\xe9\n"), "3:6: byte 0xe9 is not UTF-8 text\n");
  EXPECT_EQ(problems_of("\xff\xfei\0n\0"sv), "1:1: byte 0xff is not UTF-8 text\n");
  for (const std::string_view text : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_NE(problems_of(text).find("is not UTF-8 text"), std::string::npos);
  }
  // yaml-cpp takes this byte for the end of the file.
  EXPECT_EQ(problems_after_required("workers: 1 \x04\n"), "3:12: control character 0x04\n");
}

TEST(ConfigYaml, AcceptsAByteOrderMarkAndWindowsLineEnds) {
  EXPECT_EQ(problems_of("\xef\xbb\xbf" + with_required("workers: 1\r\nfoo: 1\r\n")),
            "4:1: unknown key 'foo'\n");
}

TEST(ConfigYaml, RefusesControlCharactersBehindEscapes) {
  EXPECT_EQ(problems_after_required("cookies: {key_file: \"/a\\0b\"}\n"),
            "3:21: '/a\\x00b' contains a control character\n");
  EXPECT_EQ(problems_after_required("cookies:\n  key_file: |\n    /a\n"),
            "4:13: '/a\\x0a' contains a control character\n");
}

TEST(ConfigYaml, SurvivesDeepNestingAndSize) {
  for (const std::string_view unit : {"[", "{", "- ", "? ", "{a: ", "!", "&a ", "\"", "a: ", ":"}) {
    std::string text;
    while (text.size() < 200'000) text += unit;
    EXPECT_NE(problems_of(text), "") << unit;
  }
  EXPECT_EQ(problems_of(std::string(2'000'000, '#')),
            "1:1: the file is larger than 1048576 bytes\n");
}

TEST(ConfigYaml, ShortensLongTextInMessages) {
  EXPECT_EQ(problems_after_required("on_exit: " + std::string(500, 'x')),
            "3:10: on_exit: '" + std::string(80, 'x') + "...' is not one of drop, pass\n");
}

}  // namespace
}  // namespace synward::config::test
