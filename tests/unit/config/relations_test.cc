// SPDX-License-Identifier: GPL-2.0-or-later
//
// Values that are fine alone and wrong together.
#include "tests/unit/config/support.h"

namespace synward::config::test {
namespace {

TEST(ConfigRelations, LowWatermarkIsBelowHigh) {
  EXPECT_EQ(problems_after_required("half_open: {high_watermark: 50%, low_watermark: 50%}"),
            "3:49: low_watermark: 50% is not below high_watermark, 50%\n");
  EXPECT_EQ(problems_after_required("half_open: {high_watermark: 30%}"),
            "3:29: low_watermark: 40% is not below high_watermark, 30%\n");
  EXPECT_EQ(problems_after_required("half_open: {high_watermark: 50%, low_watermark: 49%}"), "");
}

TEST(ConfigRelations, ABadValueIsNotComparedWithAGoodOne) {
  EXPECT_EQ(problems_after_required("half_open: {high_watermark: 50, low_watermark: 90%}"),
            "3:29: high_watermark: '50' is not a percentage such as 80%; did you mean '50%'?\n");
}

TEST(ConfigRelations, HalfOpenLifeIsAtMost64Seconds) {
  EXPECT_EQ(problems_after_required("half_open: {synack_retries: 5}"), "");  // 63 s
  EXPECT_EQ(problems_after_required("half_open: {synack_retries: 0, synack_timeout: 64s}"), "");
  EXPECT_EQ(problems_after_required("half_open: {synack_retries: 6}"),
            "3:29: the half-open life is 2m7s, above 64s: 6 retries, waits doubling from 1s\n");
  EXPECT_EQ(problems_after_required("half_open: {synack_timeout: 2s65ms}"),
            "3:29: the half-open life is 64s15ms, above 64s: 4 retries, "
            "waits doubling from 2s65ms\n");
}

TEST(ConfigRelations, EarlyDataOfOneConnectionFitsTheTotal) {
  EXPECT_EQ(problems_after_required("splice: {early_data: {per_connection: 64KiB, total: 32KiB}}"),
            "3:39: per_connection: 64KiB is more than the total, 32KiB\n");
  EXPECT_EQ(problems_after_required("splice: {early_data: {total: 8KiB}}"),
            "3:30: per_connection: 16KiB is more than the total, 8KiB\n");
  EXPECT_EQ(problems_after_required("splice: {early_data: {per_connection: 1MiB, total: 1MiB}}"),
            "");
}

TEST(ConfigRelations, QueueNumbersOfAllWorkersFit) {
  EXPECT_EQ(problems_after_required("workers: 64\nqueue_start: 65344\n"), "");
  EXPECT_EQ(problems_after_required("workers: 64\nqueue_start: 65345\n"),
            "4:14: queue_start: 65345 and three queues for each of 64 workers reach 65536, "
            "above 65535\n");
  EXPECT_EQ(problems_after_required("queue_start: 65533\nworkers: 1\n"), "");
}

TEST(ConfigRelations, EveryWorkerHasAShare) {
  EXPECT_EQ(problems_after_required("splice: {connections: 7}\nworkers: 8\n"),
            "3:23: connections: 7 is divided among 8 workers; each needs at least 1\n");
  EXPECT_EQ(problems_after_required("workers: 64\nhalf_open: {backlog: 63}\n"),
            "4:22: backlog: 63 is divided among 64 workers; each needs at least 1\n");
  EXPECT_EQ(
      problems_after_required("splice: {connections: 8}\nhalf_open: {backlog: 8}\nworkers: 8\n"),
      "");
  EXPECT_EQ(problems_after_required("splice: {connections: 1}\nworkers: auto\n"), "");
}

TEST(ConfigRelations, MarkLiesWithinItsMask) {
  EXPECT_EQ(problems_after_required("mark: 0x1ffff/0xffff0000"),
            "3:7: mark: '0x1ffff/0xffff0000' has value bits outside of its mask\n");
  EXPECT_EQ(problems_after_required("mark: 0x1/0"),
            "3:7: mark: '0x1/0' has the mask 0; it must have a bit\n");
  EXPECT_EQ(problems_after_required("mark: 0/0xff"),
            "3:7: mark: '0/0xff' has the value 0, which is no mark\n");
  EXPECT_EQ(problems_after_required("mark: 0xffffffff/0xffffffff"), "");
}

}  // namespace
}  // namespace synward::config::test
