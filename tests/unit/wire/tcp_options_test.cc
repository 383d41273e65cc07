// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/tcp_options.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "tests/support/packet_builder.h"

namespace synward::wire {
namespace {

using test::Bytes;

// A header of exactly these options, in a heap block of its size: AddressSanitizer sees the end.
std::expected<TcpOptions, Reason> read(const Bytes& options, BadOption bad = BadOption::refused) {
  const std::size_t length = tcp_header_min + options.size();
  const auto header = std::make_unique<std::uint8_t[]>(length);
  std::ranges::copy(options, header.get() + tcp_header_min);
  return parse_tcp_options({header.get(), length}, bad);
}

bool refused(const Bytes& options) {
  const auto read_options = read(options);
  return !read_options && read_options.error() == synward_reason_bad_options;
}

TEST(TcpOptions, OfALinuxSynAreRead) {
  const auto options = read({2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->mss, 1460);
  EXPECT_TRUE(options->sack_permitted);
  EXPECT_EQ(test::must(options->timestamps).value, 0x01020304U);
  EXPECT_EQ(test::must(options->timestamps).echo, 0x05060708U);
  EXPECT_EQ(options->timestamps_offset, 28);
  EXPECT_EQ(options->window_scale, 7);
}

TEST(TcpOptions, NoneIsNotZero) {
  const auto options = read({});
  ASSERT_TRUE(options);
  EXPECT_FALSE(options->mss);
  EXPECT_FALSE(options->window_scale);
  EXPECT_EQ(read({3, 3, 0, 1})->window_scale, 0);
}

TEST(TcpOptions, WindowScaleAbove14IsReadAs14) {
  EXPECT_EQ(read({3, 3, 14, 1})->window_scale, 14);
  EXPECT_EQ(read({3, 3, 255, 1})->window_scale, 14);
}

TEST(TcpOptions, SackBlocksAreLocatedAtOddOffsetsToo) {
  Bytes bytes{1, 5, 18};
  bytes.resize(20);
  const auto options = read(bytes);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->sack_offset, 23);
  EXPECT_EQ(options->sack_blocks, 2);
}

TEST(TcpOptions, BehindTheEndOfListAreNotRead) {
  const auto options = read({0, 2, 0, 0});
  ASSERT_TRUE(options);
  EXPECT_FALSE(options->mss);
}

TEST(TcpOptions, ThatCannotBeTranslatedOrPromisedAreNoticed) {
  Bytes md5(20, 1);
  md5[0] = 19;
  md5[1] = 18;
  EXPECT_TRUE(read(md5)->authenticated);
  EXPECT_TRUE(read({29, 4, 0, 0})->authenticated);
  EXPECT_TRUE(read({30, 4, 0, 0})->multipath);
  EXPECT_TRUE(read({34, 2, 1, 1})->fast_open);
}

TEST(TcpOptions, UnknownOnesAreIgnoredHoweverOften) {
  const auto options = read({253, 4, 0, 0, 253, 2, 2, 4, 5, 0xb4, 1, 1});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->mss, 1460);
}

TEST(TcpOptionLength, ZeroAndOneAreRefusedForEveryKind) {
  for (unsigned kind = 2; kind < 256; ++kind) {
    for (const std::uint8_t length : {0, 1}) {
      EXPECT_TRUE(refused({static_cast<std::uint8_t>(kind), length, 0, 0})) << kind;
    }
  }
}

TEST(TcpOptionLength, PastTheEndIsRefusedForEveryKind) {
  for (unsigned kind = 2; kind < 256; ++kind) {
    EXPECT_TRUE(refused({1, 1, static_cast<std::uint8_t>(kind), 3})) << kind;
    EXPECT_TRUE(refused({static_cast<std::uint8_t>(kind), 255, 0, 0})) << kind;
  }
}

TEST(TcpOptionLength, MissingAtTheEndIsRefused) {
  EXPECT_TRUE(refused({1, 1, 1, 2}));
}

TEST(TcpOptionLength, OtherThanTheKindDemandsIsRefused) {
  for (const std::uint8_t kind : {2, 3, 4, 8}) {
    const std::array<std::uint8_t, 9> right{0, 0, 4, 3, 2, 0, 0, 0, 10};
    for (std::uint8_t length = 2; length <= 12; ++length) {
      Bytes bytes(12, 1);
      bytes[0] = kind;
      bytes[1] = length;
      EXPECT_EQ(refused(bytes), length != right[kind]) << +kind << " " << +length;
    }
  }
}

TEST(TcpOptionLength, OfSackIsAWholeNumberOfBlocksAndAtLeastOne) {
  for (std::uint8_t length = 2; length <= 40; ++length) {
    Bytes bytes(40, 1);
    bytes[0] = 5;
    bytes[1] = length;
    const bool whole = length == 10 || length == 18 || length == 26 || length == 34;
    EXPECT_EQ(refused(bytes), !whole) << +length;
  }
}

TEST(TcpOptionTwice, IsRefusedOfEveryKindThatIsUnderstood) {
  const Bytes each[] = {{2, 4, 5, 0xb4},
                        {3, 3, 7},
                        {4, 2},
                        {5, 10, 0, 0, 0, 0, 0, 0, 0, 0},
                        {8, 10, 0, 0, 0, 0, 0, 0, 0, 0}};
  for (const Bytes& option : each) {
    EXPECT_FALSE(refused(option));
    EXPECT_TRUE(refused(test::concatenated(option, option))) << +option[0];
  }
}

// Of a SYN, nothing is refused for its options: every kind, length, and place of the end.
TEST(TcpOptionSkipped, OfEveryWrongLengthAndThoseBehindItCount) {
  for (unsigned kind = 2; kind < 256; ++kind) {
    for (std::uint8_t length = 2; length <= 12; ++length) {
      Bytes bytes(12, 1);
      bytes[0] = static_cast<std::uint8_t>(kind);
      bytes[1] = length;
      const auto options = read(test::concatenated(bytes, Bytes{3, 3, 7, 1}), BadOption::skipped);
      ASSERT_TRUE(options) << kind << " " << +length;
      EXPECT_EQ(options->mss.has_value(), kind == 2 && length == 4) << +length;
      EXPECT_EQ(options->sack_permitted, kind == 4 && length == 2) << +length;
      EXPECT_EQ(options->timestamps.has_value(), kind == 8 && length == 10) << +length;
      const bool first = kind == 3 && length == 3;
      EXPECT_EQ(options->window_scale, first ? 1 : 7) << kind << " " << +length;
    }
  }
}

TEST(TcpOptionSkipped, WithoutAnEndItEndsTheList) {
  const Bytes mss{2, 4, 5, 0xb4};
  for (unsigned kind = 2; kind < 256; ++kind) {
    for (const std::uint8_t length : {0, 1, 9, 255}) {
      const Bytes bad{static_cast<std::uint8_t>(kind), length, 3, 3, 7, 1};
      const auto options = read(test::concatenated(mss, bad), BadOption::skipped);
      ASSERT_TRUE(options) << kind << " " << +length;
      EXPECT_EQ(options->mss, 1460);
      EXPECT_FALSE(options->window_scale);
    }
  }
  EXPECT_EQ(read({2, 4, 5, 0xb4, 1, 1, 1, 3}, BadOption::skipped)->mss, 1460);
}

TEST(TcpOptionSkipped, OfTwoTheFirstCounts) {
  const auto options = read({2, 4, 5, 0xb4, 2, 4, 2, 24, 3, 3,  7, 3, 3, 1, 4, 2, 4, 2, 8, 10,
                             0, 0, 0, 1,    0, 0, 0, 0,  8, 10, 0, 0, 0, 2, 0, 0, 0, 0, 1, 1},
                            BadOption::skipped);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->mss, 1460);
  EXPECT_EQ(options->window_scale, 7);
  EXPECT_TRUE(options->sack_permitted);
  EXPECT_EQ(test::must(options->timestamps).value, 1U);
}

TEST(TcpOptionSkipped, AnMssOfZeroIsNone) {
  EXPECT_FALSE(read({2, 4, 0, 0}, BadOption::skipped)->mss);
  EXPECT_EQ(read({2, 4, 0, 0, 2, 4, 5, 0xb4}, BadOption::skipped)->mss, 1460);
}

TEST(TcpOptionsWritten, AreReadBack) {
  for (unsigned present = 0; present < 16; ++present) {
    OptionsToSend sent;
    if ((present & 1) != 0) sent.mss = 1400;
    if ((present & 2) != 0) sent.window_scale = 0;
    sent.sack_permitted = (present & 4) != 0;
    if ((present & 8) != 0) sent.timestamps = Timestamps{123456789, 0xfffffffe};
    std::array<std::uint8_t, tcp_options_max> at{};
    const std::size_t length = write_tcp_options(at, sent, 0);
    EXPECT_EQ(length % 4, 0U);
    const auto options = read(Bytes(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(length)));
    ASSERT_TRUE(options) << present;
    EXPECT_EQ(options->mss, sent.mss);
    EXPECT_EQ(options->window_scale, sent.window_scale);
    EXPECT_EQ(options->sack_permitted, sent.sack_permitted);
    EXPECT_EQ(options->timestamps.has_value(), sent.timestamps.has_value());
    EXPECT_EQ(options->timestamps.value_or(Timestamps{}).echo,
              sent.timestamps.value_or(Timestamps{}).echo);
  }
}

TEST(TcpOptionsWritten, ArePaddedWithNopToTheLengthAskedFor) {
  std::array<std::uint8_t, tcp_options_max> at{};
  EXPECT_EQ(write_tcp_options(at, {.mss = 1460, .window_scale = {}, .timestamps = {}}, 40), 40U);
  for (std::size_t i = 4; i < 40; ++i) EXPECT_EQ(at[i], 1) << i;
}

}  // namespace
}  // namespace synward::wire
