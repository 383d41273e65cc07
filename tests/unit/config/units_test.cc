// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/units.h"

#include <gtest/gtest.h>

namespace synward::config {
namespace {

using namespace std::chrono_literals;

constexpr NumberIn any_number{0, UINT32_MAX};
constexpr DurationIn any_duration{0ms, 10'000h};
constexpr SizeIn any_size{0, UINT64_MAX};
constexpr RateIn any_rate{0, UINT32_MAX};
constexpr PercentIn any_percent{0, 100};

TEST(ConfigUnits, NumbersAreDecimal) {
  EXPECT_EQ(any_number("65536"), 65536U);
  EXPECT_EQ(any_number("010"), 10U);
  EXPECT_EQ(any_number("0"), 0U);
  for (const auto* const text : {"", "1_000", "0x10", "0o17", "1.0", "1e3", "+1", "-1", " 1", "1 ",
                                 "1,000", "ten", "\u0661", ".5", "1s"}) {
    EXPECT_FALSE(any_number(text)) << text;
  }
}

TEST(ConfigUnits, DurationsHaveUnitsFromTheLargestDown) {
  EXPECT_EQ(any_duration("200ms"), 200ms);
  EXPECT_EQ(any_duration("1s"), 1s);
  EXPECT_EQ(any_duration("2h10m"), 130min);
  EXPECT_EQ(any_duration("1h1m1s1ms"), 3'661'001ms);
  EXPECT_EQ(any_duration("010s"), 10s);
  for (const auto* const text : {"", "1", "s", "10m2h", "1s1s", "1d", "1us", "1.5s", "-1s", "1 s",
                                 "1h 1m", "1S", "1h30", "h1", "1_0s"}) {
    EXPECT_FALSE(any_duration(text)) << text;
  }
}

TEST(ConfigUnits, DurationsSuggestTheUnit) {
  EXPECT_NE(any_duration("30").error().find("; did you mean '30s'?"), std::string::npos);
  EXPECT_NE(any_duration("5 S").error().find("; did you mean '5s'?"), std::string::npos);
  EXPECT_NE(any_duration("5sec").error().find("; did you mean '5s'?"), std::string::npos);
  EXPECT_NE(any_duration("5min").error().find("; did you mean '5m'?"), std::string::npos);
  EXPECT_EQ(any_duration("soon").error().find("did you mean"), std::string::npos);
}

TEST(ConfigUnits, DurationsSuggestOnlyWhatIsInRange) {
  constexpr DurationIn range{10ms, 64s};
  EXPECT_TRUE(range("1000").error().ends_with("; did you mean '1000ms'?"));
  EXPECT_TRUE(range("1M").error().ends_with("; did you mean '1m'?"));
  for (const auto* const text : {"0", "64001", "1H"}) {
    EXPECT_EQ(range(text).error().find("did you mean"), std::string::npos) << text;
  }
}

TEST(ConfigUnits, SizesAreBinary) {
  EXPECT_EQ(any_size("16KiB"), 16384U);
  EXPECT_EQ(any_size("64MiB"), 64U << 20);
  EXPECT_EQ(any_size("2GiB"), 2ULL << 30);
  for (const auto* const text : {"", "16", "16B", "16K", "16KB", "16kB", "16kib", "16 KiB",
                                 "1.5KiB", "KiB", "-1KiB", "0x1KiB", "1KiB1KiB", "1TiB"}) {
    EXPECT_FALSE(any_size(text)) << text;
  }
}

TEST(ConfigUnits, SizesSuggestTheUnit) {
  const auto suggests = [](const char* text, const char* suggestion) {
    const std::string error = any_size(text).error();
    return error.ends_with(std::string("; did you mean '") + suggestion + "'?");
  };
  EXPECT_TRUE(suggests("16384", "16KiB"));
  EXPECT_TRUE(suggests("16", "16KiB"));
  EXPECT_TRUE(suggests("16K", "16KiB"));
  EXPECT_TRUE(suggests("64mb", "64MiB"));
  EXPECT_TRUE(suggests("1 GiB", "1GiB"));
  EXPECT_EQ(any_size("1TiB").error().find("did you mean"), std::string::npos);
}

TEST(ConfigUnits, SizesSuggestOnlyWhatIsInRange) {
  constexpr SizeIn range{1024, 1 << 20};
  EXPECT_TRUE(range("16384B").error().ends_with("; did you mean '16KiB'?"));
  EXPECT_TRUE(range("1000").error().ends_with("; did you mean '1000KiB'?"));
  for (const auto* const text : {"0", "512B", "2000", "2G"}) {
    EXPECT_EQ(range(text).error().find("did you mean"), std::string::npos) << text;
  }
}

TEST(ConfigUnits, RatesAndPercentagesSuggestOnlyWhatIsInRange) {
  EXPECT_TRUE((RateIn{1, 10})("10").error().ends_with("; did you mean '10/s'?"));
  EXPECT_EQ((RateIn{1, 10})("0").error().find("did you mean"), std::string::npos);
  EXPECT_EQ((PercentIn{2, 100})("101").error().find("did you mean"), std::string::npos);
}

TEST(ConfigUnits, RatesArePerSecondAndPercentagesWhole) {
  EXPECT_EQ(any_rate("20000/s"), 20000U);
  EXPECT_EQ(any_percent("80%"), 80U);
  for (const auto* const text : {"", "20000", "20000/m", "/s", "20k/s", "20000 /s"}) {
    EXPECT_FALSE(any_rate(text)) << text;
  }
  for (const auto* const text : {"", "80", "0.8", "80.5%", "%", "80%%", "-1%", "101%"}) {
    EXPECT_FALSE(any_percent(text)) << text;
  }
}

TEST(ConfigUnits, RangesIncludeTheirEnds) {
  const NumberIn number{2, 4};
  EXPECT_FALSE(number("1"));
  EXPECT_EQ(number("2"), 2U);
  EXPECT_EQ(number("4"), 4U);
  EXPECT_EQ(number("5").error(), "'5' is out of range; the range is 2 to 4");
}

TEST(ConfigUnits, AWordMayStandForNoNumber) {
  const NumberOr number{"auto", {1, 64}};
  ASSERT_TRUE(number("auto"));
  EXPECT_EQ(*number("auto"), std::nullopt);
  EXPECT_EQ(*number("7"), 7U);
  EXPECT_FALSE(number("off"));
}

TEST(ConfigUnits, MarksAreHexadecimalOrDecimal) {
  const MarkWithMask mark;
  EXPECT_EQ(mark("0x53590000/0xffff0000"), (Mark{0x53590000, 0xffff0000}));
  EXPECT_EQ(mark("010/255"), (Mark{10, 255}));
  for (const auto* const text : {"", "0x1", "/", "1/", "/1", "1/2/3", "0x/0x1", "0x1ffffffff/1",
                                 "-1/1", "1 / 1", "0x-1/1", "0xg/0xff"}) {
    EXPECT_FALSE(mark(text)) << text;
  }
}

TEST(ConfigUnits, FormatsWhatItReads) {
  for (const auto* const text :
       {"0s", "10ms", "1s", "1s500ms", "60s", "64s", "93s", "10m", "2m7s", "2h10m", "168h"}) {
    EXPECT_EQ(format_duration(*any_duration(text)), text);
  }
  for (const auto* const text : {"0KiB", "16KiB", "1025KiB", "64MiB", "1GiB", "1024GiB"}) {
    EXPECT_EQ(format_size(*any_size(text)), text);
  }
  EXPECT_EQ(format_mark({0x10, 0xff}), "0x00000010/0x000000ff");
}

}  // namespace
}  // namespace synward::config
