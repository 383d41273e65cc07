// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/succession.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace synward {
namespace {

using namespace std::chrono_literals;

wire::Endpoint endpoint(const char* text) {
  return wire::parse_endpoint(text).value_or(wire::Endpoint{});
}

class SuccessionTest : public ::testing::Test {
 protected:
  // One process after the other; the one before has died.
  Succession& process(std::uint64_t spent_cookies = 1024) {
    alive_.reset();
    wanted.spent_cookies = spent_cookies;
    alive_ = std::make_unique<Succession>(directory_.path(), wanted, now);
    return *alive_;
  }
  // As a process that dies with so many connections leaves it.
  void die_with(std::uint16_t connections) {
    wanted.connections = connections;
    flow::LiveTuples tuples(process().take_tuples(connections));
    for (std::uint16_t i = 0; i < connections; ++i) tuples.begin(i, client_at(i), listen);
  }
  wire::Endpoint client_at(std::uint16_t place) const {
    return {client.address, static_cast<std::uint16_t>(client.port + place)};
  }
  // What is written where a file was, at this byte.
  void write_at(const char* name, std::streamoff at, std::string_view bytes) const {
    std::fstream file(path(name), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.flush());
  }
  // No file can be made any more, as on a full file system.
  void let_nothing_be_made() const {
    for (const char* const name : {"spent-cookies", "connections", "orphans"}) {
      std::filesystem::create_directories(path(name) + ".new/full");
    }
  }
  std::string path(const char* name) const { return directory_.path() / name; }

  const test::TemporaryDirectory directory_;
  Succession::Wanted wanted{
      .master_key = {1}, .spent_cookies = 1024, .connections = 16, .hash_key = {1, 2}};
  Instant now{1h};
  const wire::Endpoint client = endpoint("203.0.113.5:40000");
  const wire::Endpoint listen = endpoint("198.51.100.10:80");
  const wire::Endpoint backend = endpoint("198.51.100.21:8080");
  const handshake::CookieUse use{client, listen, wire::SeqNumber(1), wire::SeqNumber(2)};
  std::unique_ptr<Succession> alive_;
};

TEST_F(SuccessionTest, SpentCookiesOutliveTheProcess) {
  process().spent_cookies()->add(use, now + 128s, now);
  EXPECT_TRUE(process().spent_cookies()->contains(use, now));
  EXPECT_TRUE(process(65536).spent_cookies()->contains(use, now)) << "with more room";
  EXPECT_TRUE(process(64).spent_cookies()->contains(use, now)) << "and with less";
  EXPECT_FALSE(process().spent_cookies()->contains(use, now + 129s));
}

TEST_F(SuccessionTest, ThoseOfAnotherKeyAreNotRead) {
  process().spent_cookies()->add(use, now + 128s, now);
  wanted.master_key = {2};
  EXPECT_FALSE(process().spent_cookies()->contains(use, now));
}

TEST_F(SuccessionTest, GarbageIsRefused) {
  process().spent_cookies()->add(use, now + 128s, now);
  std::string good;
  {
    std::ifstream file(path("spent-cookies"), std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(file), {});
  }
  alive_.reset();
  // Its stamp, its version, its number of records; cut, and empty.
  for (const std::size_t at : {0U, 12U, 24U}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    std::ofstream(path("spent-cookies"), std::ios::binary) << bad;
    EXPECT_FALSE(process().spent_cookies()->contains(use, now)) << at;
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{100}, good.size() - 1}) {
    std::ofstream(path("spent-cookies"), std::ios::binary) << good.substr(0, length);
    EXPECT_FALSE(process().spent_cookies()->contains(use, now)) << length;
  }
  std::ofstream(path("spent-cookies"), std::ios::binary) << good;
  EXPECT_TRUE(process().spent_cookies()->contains(use, now)) << "or nothing was tested";
}

TEST_F(SuccessionTest, ConnectionsOfADeadProcessAreOrphansAlsoOfTheNextButOne) {
  flow::LiveTuples tuples(process().take_tuples(8));
  tuples.begin(3, client, listen);
  tuples.ask(3, backend);
  tuples.begin(4, backend, listen);
  tuples.end(4);
  for (int life = 0; life < 3; ++life) {
    now += 10s;
    flow::Orphans& orphans = *process().orphans();
    auto* const orphan = orphans.find(Side::client, {client, listen});
    ASSERT_NE(orphan, nullptr) << life;
    EXPECT_EQ(orphan->since, Instant(1h + 10s)) << "since the first death";
    EXPECT_NE(orphans.find(Side::backend, {client, backend}), nullptr);
    EXPECT_EQ(orphans.find(Side::client, {backend, listen}), nullptr);
    EXPECT_EQ(orphans.listens(), std::vector{listen});
    EXPECT_EQ(orphans.backends(), std::vector{backend});
  }
  alive_->orphans()->forget(Side::client, {client, listen});
  flow::Orphans& half = *process().orphans();
  EXPECT_EQ(half.find(Side::client, {client, listen}), nullptr);
  EXPECT_NE(half.find(Side::backend, {client, backend}), nullptr);
  half.forget(Side::backend, {client, backend});
  EXPECT_TRUE(process().orphans()->empty());
}

TEST_F(SuccessionTest, AnOrderedStopLeavesNoConnections) {
  flow::LiveTuples tuples(process().take_tuples(8));
  tuples.begin(3, client, listen);
  tuples.end(3);
  alive_->nothing_is_left();
  EXPECT_FALSE(std::filesystem::exists(path("connections")));
  EXPECT_FALSE(std::filesystem::exists(path("orphans")));
  EXPECT_TRUE(process().orphans()->empty());
}

TEST_F(SuccessionTest, TheLastProcessLeavesAllOfItsConnectionsToASmallerOne) {
  die_with(16);
  wanted.connections = 2;
  process();
  for (std::uint16_t i = 0; i < 16; ++i) {
    EXPECT_NE(alive_->orphans()->find(Side::client, {client_at(i), listen}), nullptr) << i;
  }
  EXPECT_LE(std::filesystem::file_size(path("orphans")), 4096 + 16 * sizeof(flow::LiveTuple));
  process();
  EXPECT_EQ(std::filesystem::file_size(path("orphans")), 4096 + 2 * sizeof(flow::LiveTuple))
      << "but not without end";
}

TEST_F(SuccessionTest, OrphansEndWithTheirTime) {
  die_with(2);
  Succession& next = process();
  EXPECT_FALSE(next.end_orphans(now)) << "as old as that, not older";
  EXPECT_TRUE(next.end_orphans(now + 1s));
  EXPECT_TRUE(next.orphans()->empty());
  EXPECT_TRUE(next.orphans()->listens().empty());
  EXPECT_FALSE(next.end_orphans(now + 2s)) << "told once";
  next.nothing_is_left();
  EXPECT_FALSE(std::filesystem::exists(path("orphans")));
}

TEST_F(SuccessionTest, TheRulesShrinkWhenTheLastOrphanIsForgotten) {
  die_with(2);
  Succession& next = process();
  next.orphans()->forget(Side::client, {client_at(0), listen});
  EXPECT_FALSE(next.end_orphans(now));
  EXPECT_EQ(next.orphans()->listens(), std::vector{listen});
  next.orphans()->forget(Side::client, {client_at(1), listen});
  next.orphans()->forget(Side::client, {client_at(1), listen});
  EXPECT_TRUE(next.end_orphans(now));
  EXPECT_TRUE(next.orphans()->listens().empty());
}

// Who died between two writes left it in both files.
TEST_F(SuccessionTest, OneThatIsThereTwiceIsForgottenAtOnce) {
  die_with(1);
  std::filesystem::copy_file(path("connections"), path("orphans"));
  const Succession& next = process();
  next.orphans()->forget(Side::client, {client_at(0), listen});
  EXPECT_EQ(next.orphans()->find(Side::client, {client_at(0), listen}), nullptr);
  EXPECT_TRUE(next.orphans()->empty());
}

TEST_F(SuccessionTest, GarbageInItIsBounded) {
  die_with(1);
  alive_.reset();
  flow::LiveTuple garbage{};
  garbage.client = client.address;
  garbage.client_port = client.port;
  garbage.listen = listen.address;
  garbage.listen_port = listen.port;
  garbage.halves = 0xfd;  // the client's, and six that there are not
  garbage.orphaned_at = 0xffffffff;
  write_at("connections", 4096, {reinterpret_cast<const char*>(&garbage), sizeof garbage});
  const Succession& next = process();
  EXPECT_EQ(next.orphans()->find(Side::client, {client, listen})->since, now);
  EXPECT_TRUE(next.orphans()->backends().empty());
  next.orphans()->forget(Side::client, {client, listen});
  EXPECT_TRUE(next.orphans()->empty());
  EXPECT_TRUE(process().orphans()->empty());
}

TEST_F(SuccessionTest, TheRulesAreNotFloodedByGarbage) {
  std::vector<flow::LiveTuple> tuples(2 * flow::Orphans::endpoints_max);
  for (std::size_t i = 0; i < tuples.size(); ++i) {
    tuples[i].halves = 3;
    tuples[i].listen_port = tuples[i].backend_port = static_cast<std::uint16_t>(i);
  }
  const flow::Orphans orphans(tuples, {1, 2}, now);
  EXPECT_EQ(orphans.listens().size(), flow::Orphans::endpoints_max);
  EXPECT_EQ(orphans.backends().size(), flow::Orphans::endpoints_max);
}

TEST_F(SuccessionTest, ASpentCookieThatNeverExpiresIsGarbage) {
  process().spent_cookies()->add(use, now + 1000h, now);
  EXPECT_FALSE(process().spent_cookies()->contains(use, now));
  process().spent_cookies()->add(use, now + 1000h, now);
  EXPECT_FALSE(process(65536).spent_cookies()->contains(use, now));
}

TEST_F(SuccessionTest, FilesOfAnEarlierBootAreNotRead) {
  die_with(1);
  alive_->spent_cookies()->add(use, now + 128s, now);
  alive_.reset();
  for (const char* const name : {"connections", "spent-cookies"}) write_at(name, 40, "another");
  testing::internal::CaptureStderr();
  process();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(alive_->orphans()->empty());
  EXPECT_FALSE(alive_->spent_cookies()->contains(use, now));
}

TEST_F(SuccessionTest, WhereNothingCanBeMadeItIsSaidInOneSentence) {
  let_nothing_be_made();
  testing::internal::CaptureStderr();
  process();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(log, '\n'), 1) << log;
  EXPECT_NE(log.find(path("spent-cookies") + ": cannot make it: File exists"), std::string::npos)
      << log;
}

TEST_F(SuccessionTest, AnOrderedStopLeavesNothingOfBeforeEither) {
  die_with(1);
  process();
  die_with(1);  // now there are both files
  ASSERT_TRUE(std::filesystem::exists(path("orphans")));
  alive_.reset();
  let_nothing_be_made();
  Succession& next = process();
  EXPECT_NE(next.orphans()->find(Side::client, {client_at(0), listen}), nullptr) << "in memory";
  next.nothing_is_left();
  EXPECT_FALSE(std::filesystem::exists(path("connections")));
  EXPECT_FALSE(std::filesystem::exists(path("orphans")));
}

// A file system that has no room for more of them still has those that it had.
TEST_F(SuccessionTest, SpentCookiesGoOverToMemoryToo) {
  process().spent_cookies()->add(use, now + 128s, now);
  alive_.reset();
  let_nothing_be_made();
  EXPECT_TRUE(process(65536).spent_cookies()->contains(use, now));
}

TEST(MappedFile, WhatCannotBePutInPlaceSaysWhyAndLeavesNothing) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() / "file";
  std::filesystem::create_directories(path + "/full");
  const auto made = MappedFile::make(path, {.kind = 1, .record_size = 8}, 4);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error(), path + ": cannot put it in place: Is a directory");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_F(SuccessionTest, EachWorkerHasItsPart) {
  Succession& one = process();
  const auto first = one.take_tuples(10), second = one.take_tuples(10);
  EXPECT_EQ(first.size(), 10U);
  EXPECT_EQ(second.size(), 6U) << "no more than there are";
  EXPECT_EQ(second.data(), first.data() + 10);
}

TEST_F(SuccessionTest, TwoAtOnceDoNotShareAndBothWork) {
  const Succession& one = process();
  one.spent_cookies()->add(use, now + 128s, now);
  Succession two(directory_.path(), wanted, now);
  EXPECT_FALSE(two.spent_cookies()->contains(use, now));
  EXPECT_TRUE(two.take_tuples(1).empty());
  two.spent_cookies()->add(use, now + 128s, now);
  EXPECT_TRUE(two.spent_cookies()->contains(use, now));
}

TEST_F(SuccessionTest, WithoutADirectoryItWorksInMemory) {
  std::ofstream(path("file")) << "";
  Succession without(path("file"), wanted, now);
  without.spent_cookies()->add(use, now + 128s, now);
  EXPECT_TRUE(without.spent_cookies()->contains(use, now));
  EXPECT_TRUE(without.orphans()->empty());
  EXPECT_TRUE(without.take_tuples(1).empty());
}

}  // namespace
}  // namespace synward
