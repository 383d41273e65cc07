// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/shared/cookie.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <vector>

// tests/unit/shared/shared_headers.c: the same headers, read as C.
extern "C" {
__u32 synward_c_cookie(const synward_cookie_key* key, const synward_tuple* tuple,
                       const __u32* numbers, const synward_client_offer* offer);
__u32 synward_c_cookie_again(const synward_cookie_key* key, __u32 epoch, __u8 attempt);
__u32 synward_c_tsval(__u32 clock, const synward_client_offer* offer);
__u32 synward_c_redeem(__u32 cookie, __u32 tsecr);
}

namespace {

constexpr std::array<unsigned, 8> mss_table{64, 536, 1220, 1360, 1400, 1440, 1460, 8960};
constexpr std::array<unsigned, 7> scale_table{0, 3, 5, 6, 7, 8, 10};

synward_client_offer offer_of(unsigned mss, unsigned scale, unsigned flags = 0) {
  return {static_cast<__u16>(mss), static_cast<__u8>(scale), static_cast<__u8>(flags)};
}

template <class Table>
unsigned round_down(const Table& table, unsigned value) {
  unsigned result = table[0];
  for (const unsigned entry : table) {
    if (entry <= value) result = entry;
  }
  return result;
}

// The layout is a contract between versions: a restart must redeem what its predecessor made. If
// this fails, every connection being opened during the upgrade breaks.
TEST(Cookie, LayoutHasNotChanged) {
  const synward_cookie_key key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const synward_tuple tuple{{0x1111111111111111, 0x2222222222222222},
                            {0x3333333333333333, 0x4444444444444444},
                            40000,
                            443,
                            0};
  const synward_client_offer offer = offer_of(1460, 7, SYNWARD_OFFER_SACK);
  const __u32 cookie = synward_cookie_make(synward_cookie_begin(&key, &tuple, 27000000), 0xdeadbeef,
                                           0xabcdef, synward_cookie_encode(&offer, 27000000));
  EXPECT_EQ(synward_cookie_data(cookie), 6 << 5 | 5 << 2 | 1 << 1 | 0);
  EXPECT_EQ(cookie, 677931774U);
  EXPECT_EQ(synward_cookie_tsval(1000000, &offer), 999966U);
}

TEST(Cookie, AttemptsDifferInTheirMacAlone) {
  const synward_cookie_key key{1, 2};
  const synward_tuple tuple{};
  const synward_siphash_state begun = synward_cookie_begin(&key, &tuple, 4);
  const __u8 data = 0x5a;
  const __u32 plain = synward_cookie_make(begun, 1000, 3, data);
  EXPECT_EQ(synward_cookie_make_again(begun, 1000, 3, data, 0), plain);
  EXPECT_EQ(synward_c_cookie_again(&key, 4, 1), synward_cookie_make_again(begun, 1000, 3, data, 1));
  std::vector<__u32> all;
  for (__u8 attempt = 0; attempt < SYNWARD_COOKIE_ATTEMPTS; ++attempt) {
    const __u32 cookie = synward_cookie_make_again(begun, 1000, 3, data, attempt);
    EXPECT_EQ(synward_cookie_data(cookie), data);
    EXPECT_EQ(std::ranges::count(all, cookie >> 8), 0);
    all.push_back(cookie >> 8);
  }
}

TEST(Cookie, DataBitsComeBackFromEveryMac) {
  const synward_tuple tuple{};
  for (unsigned data = 0; data < 256; ++data) {
    for (__u32 isn = 0; isn < 64; ++isn) {
      const synward_cookie_key key{isn, data};
      const __u32 cookie = synward_cookie_make(synward_cookie_begin(&key, &tuple, 0), isn, 0,
                                               static_cast<__u8>(data));
      ASSERT_EQ(synward_cookie_data(cookie), data);
      ASSERT_EQ(synward_cookie_parity(cookie), data & 1);
    }
  }
}

// Everything that the MAC covers.
struct Covered {
  synward_cookie_key key;
  synward_tuple tuple;
  __u32 epoch, client_isn, promise, data;
};

__u32 mac_of(const Covered& covered) {
  return synward_cookie_make(synward_cookie_begin(&covered.key, &covered.tuple, covered.epoch),
                             covered.client_isn, covered.promise,
                             static_cast<__u8>(covered.data)) >>
         8;
}

Covered random_covered(std::mt19937_64& random) {
  const auto number = [&random](unsigned bits) { return random() >> (64 - bits); };
  return {.key = {random(), random()},
          .tuple = {{random(), random()},
                    {random(), random()},
                    static_cast<__u16>(number(16)),
                    static_cast<__u16>(number(16)),
                    0},
          .epoch = static_cast<__u32>(number(32)),
          .client_isn = static_cast<__u32>(number(32)),
          .promise = static_cast<__u32>(number(24)),
          .data = static_cast<__u32>(number(8))};
}

// One bit of what the MAC covers, flipped.
struct Flip {
  const char* what;
  unsigned bits;
  void (*flip)(Covered&, unsigned bit);
};

constexpr std::array<Flip, 10> flips{{
    {"key", 64, [](Covered& c, unsigned bit) { c.key.k0 ^= __u64{1} << bit; }},
    {"key's second half", 64, [](Covered& c, unsigned bit) { c.key.k1 ^= __u64{1} << bit; }},
    {"client", 128, [](Covered& c, unsigned b) { c.tuple.client[b / 64] ^= __u64{1} << b % 64; }},
    {"service", 128, [](Covered& c, unsigned b) { c.tuple.service[b / 64] ^= __u64{1} << b % 64; }},
    {"client port", 16, [](Covered& c, unsigned b) { c.tuple.client_port ^= __u16(1U << b); }},
    {"service port", 16, [](Covered& c, unsigned b) { c.tuple.service_port ^= __u16(1U << b); }},
    {"epoch", 32, [](Covered& c, unsigned bit) { c.epoch ^= 1U << bit; }},
    {"client ISN", 32, [](Covered& c, unsigned bit) { c.client_isn ^= 1U << bit; }},
    {"promise", 24, [](Covered& c, unsigned bit) { c.promise ^= 1U << bit; }},
    {"data", 8, [](Covered& c, unsigned bit) { c.data ^= 1U << bit; }},
}};

// Each of the 24 bits is as likely as not to change with each bit that goes in: a bit that is
// constant, or that some input does not reach, makes a guess twice as likely to pass.
TEST(CookieMac, EachOf24BitsHangsOnEachBitThatItCovers) {
  constexpr unsigned tries = 256;
  constexpr unsigned slack = 64;  // eight standard deviations
  std::mt19937_64 random(3);      // NOLINT(cert-msc32-c,cert-msc51-cpp): repeatable
  for (const Flip& flip : flips) {
    for (unsigned bit = 0; bit < flip.bits; ++bit) {
      std::array<unsigned, 24> changed{};
      for (unsigned i = 0; i < tries; ++i) {
        Covered covered = random_covered(random);
        const __u32 mac = mac_of(covered);
        flip.flip(covered, bit);
        const __u32 difference = mac ^ mac_of(covered);
        for (unsigned of = 0; of < changed.size(); ++of) changed[of] += difference >> of & 1;
      }
      for (unsigned of = 0; of < changed.size(); ++of) {
        ASSERT_NEAR(changed[of], tries / 2, slack)
            << "MAC bit " << of << " by bit " << bit << " of the " << flip.what;
      }
    }
  }
}

// Bits that hang on each other are fewer bits, and meet more often: of n numbers of b bits
// n * n / 2^(b+1) pairs are alike.
TEST(CookieMac, MeetsItselfAsSeldomAs24BitsDo) {
  constexpr std::size_t numbers = 1U << 16;
  constexpr std::size_t expected = 128;  // 256 with 23 bits, 64 with 25
  std::mt19937_64 random(4);             // NOLINT(cert-msc32-c,cert-msc51-cpp): repeatable
  std::vector<__u32> macs(numbers);
  for (__u32& mac : macs) mac = mac_of(random_covered(random));
  std::ranges::sort(macs);
  std::size_t alike = 0;
  for (std::size_t i = 1; i < macs.size(); ++i) alike += macs[i] == macs[i - 1] ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(alike), expected, expected / 2.0);
}

TEST(Cookie, EveryMssRoundsDownExceptBelowTheLeast) {
  for (unsigned mss = 0; mss <= 0xffff; ++mss) {
    const synward_client_offer offer = offer_of(mss, 0);
    const unsigned remembered = synward_cookie_decode(synward_cookie_encode(&offer, 0)).mss;
    ASSERT_EQ(remembered, round_down(mss_table, mss)) << mss;
    if (mss >= 64) {
      ASSERT_LE(remembered, mss);
    }
  }
}

TEST(Cookie, EveryWindowScaleRoundsDownAndAbsentIsNotZero) {
  for (unsigned scale = 0; scale <= 14; ++scale) {
    const synward_client_offer offer = offer_of(1460, scale);
    EXPECT_EQ(synward_cookie_decode(synward_cookie_encode(&offer, 0)).window_scale,
              round_down(scale_table, scale));
  }
  const synward_client_offer absent = offer_of(1460, SYNWARD_WINDOW_SCALE_ABSENT);
  EXPECT_EQ(synward_cookie_decode(synward_cookie_encode(&absent, 0)).window_scale,
            SYNWARD_WINDOW_SCALE_ABSENT);
}

TEST(Cookie, TableValuesComeBackExactly) {
  for (unsigned data = 0; data < 256; ++data) {
    const synward_client_offer offer = synward_cookie_decode(static_cast<__u8>(data));
    EXPECT_EQ(synward_cookie_encode(&offer, data & 1), data);
  }
}

TEST(CookieTsval, LiesWithinTheLast64MillisecondsForEveryOption) {
  for (const __u32 start : {0U, 12345678U, 0xffffff00U}) {  // the last runs over the wrap
    for (unsigned bits = 0; bits < 64; ++bits) {
      const synward_client_offer offer = offer_of(
          0, bits >> 2,
          ((bits & 2) != 0 ? SYNWARD_OFFER_SACK : 0U) | ((bits & 1) != 0 ? SYNWARD_OFFER_ECN : 0U));
      __u32 last = synward_cookie_tsval(start, &offer);
      for (__u32 passed = 0; passed < 512; ++passed) {
        const __u32 clock = start + passed;
        const __u32 tsval = synward_cookie_tsval(clock, &offer);
        ASSERT_LT(clock - tsval, 64U);
        ASSERT_EQ(tsval & 63, bits);
        ASSERT_LT(tsval - last, 0x80000000U) << "ran backwards";
        last = tsval;
      }
    }
  }
}

// C9, as far as it can be had without state: other options may be up to 63 ms back, never more.
TEST(CookieTsval, RunsBackByLessThan64WithOtherOptions) {
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): repeatable
  __u32 last = 0;
  for (__u32 clock = 100; clock < 100000; clock += random() % 8) {
    const synward_client_offer offer = offer_of(0, random() % 16, random() % 8);
    const __u32 tsval = synward_cookie_tsval(clock, &offer);
    ASSERT_GT(tsval + 64, last);
    last = tsval;
  }
}

TEST(CookieRefine, IsExactWhereTsecrAgrees) {
  for (unsigned scale = 0; scale <= 15; ++scale) {
    for (unsigned flags = 0; flags < 8; ++flags) {
      const synward_client_offer offer = offer_of(1460, scale, flags & ~SYNWARD_OFFER_TIMESTAMPS);
      const synward_client_offer refined =
          synward_cookie_refine(synward_cookie_decode(synward_cookie_encode(&offer, 0)),
                                synward_cookie_tsval(777777, &offer));
      EXPECT_EQ(refined.window_scale, scale);
      EXPECT_EQ(refined.flags, offer.flags);
    }
  }
}

// C7: whatever TSecr says, what the MAC covers stands.
TEST(CookieRefine, NeverContradictsTheCookie) {
  for (unsigned data = 0; data < 256; ++data) {
    const synward_client_offer decoded = synward_cookie_decode(static_cast<__u8>(data));
    for (__u32 tsecr = 0; tsecr < 64; ++tsecr) {
      const synward_client_offer refined = synward_cookie_refine(decoded, tsecr);
      EXPECT_EQ(synward_cookie_encode(&refined, data & 1), data);
    }
  }
}

TEST(SharedHeaders, AreTheSameInCAndInCpp) {
  std::mt19937_64 random(2);  // NOLINT(cert-msc32-c,cert-msc51-cpp): repeatable
  const auto number = [&] { return static_cast<__u32>(random()); };
  for (int i = 0; i < 10000; ++i) {
    const synward_cookie_key key{random(), random()};
    const synward_tuple tuple{{random(), random()},
                              {random(), random()},
                              static_cast<__u16>(random()),
                              static_cast<__u16>(random()),
                              0};
    const std::array<__u32, 3> numbers{number(), number(), number()};
    const synward_client_offer offer = offer_of(number() % 10000, number() % 16, number() % 8);
    const __u32 cookie =
        synward_cookie_make(synward_cookie_begin(&key, &tuple, numbers[1]), numbers[0], numbers[2],
                            synward_cookie_encode(&offer, numbers[1]));
    ASSERT_EQ(synward_c_cookie(&key, &tuple, numbers.data(), &offer), cookie);
    ASSERT_EQ(synward_c_tsval(numbers[0], &offer), synward_cookie_tsval(numbers[0], &offer));
    const synward_client_offer back =
        synward_cookie_refine(synward_cookie_decode(synward_cookie_data(cookie)), numbers[2]);
    ASSERT_EQ(synward_c_redeem(cookie, numbers[2]),
              static_cast<__u32>(back.mss << 16 | back.window_scale << 8 | back.flags));
  }
}

}  // namespace
