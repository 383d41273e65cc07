// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <algorithm>

#include "proxy/handshake/challenge.h"
#include "tests/unit/handshake/scene.h"

namespace synward::handshake {
namespace {

class Redeem : public HandshakeTest {};
INSTANTIATE_TEST_SUITE_P(Families, Redeem, both_families, family_name);

constexpr synward_client_offer modern{1460, 7, 7};
constexpr synward_client_offer without_timestamps{1460, 9, SYNWARD_OFFER_SACK};

// --- S1: what counts as the acknowledgement

TEST_P(Redeem, AcceptsEveryFormOfTheAcknowledgement) {
  wire::Segment ack = acknowledgement(modern);
  for (const std::uint16_t more :
       {0, +wire::flag_psh, +wire::flag_fin, +wire::flag_urg, +wire::flag_cwr | wire::flag_psh}) {
    ack.flags = wire::flag_ack | more;
    const Redeemed redeemed = must_redeem(ack);
    EXPECT_EQ(redeemed.client_isn, client_isn);
  }
}

TEST_P(Redeem, AcceptsSeqOfTheIsnItself) {  // keep-alive, zero-window probe
  wire::Segment probe = acknowledgement(modern);
  probe.seq = client_isn;
  const Redeemed redeemed = must_redeem(probe);
  EXPECT_EQ(redeemed.client_isn, client_isn);
}

TEST_P(Redeem, RefusesEveryOtherSeq) {
  wire::Segment ack = acknowledgement(modern);
  for (std::uint32_t off = 2; off < 5000; ++off) {
    ack.seq = client_isn + off;
    ASSERT_FALSE(redeem_now(ack)) << off;
    ack.seq = client_isn - (off - 1);
    ASSERT_FALSE(redeem_now(ack)) << off;
  }
}

// C1: where the ISN is added instead of hashed, SEQ + d with ACK + d passes as another MSS.
TEST_P(Redeem, RefusesSeqAndAckMovedTogether) {
  const wire::Segment honest = acknowledgement(modern);
  for (std::uint32_t off = 1; off < 5000; ++off) {
    wire::Segment moved = honest;
    moved.seq = honest.seq + off;
    moved.ack = honest.ack + off;
    ASSERT_FALSE(redeem_now(moved)) << off;
    moved.seq = honest.seq - off;
    moved.ack = honest.ack - off;
    ASSERT_FALSE(redeem_now(moved)) << off;
  }
}

TEST_P(Redeem, RefusesSynAndRstAndWhatHasNoAck) {
  wire::Segment ack = acknowledgement(modern);
  for (const std::uint16_t flags :
       {wire::flag_ack | wire::flag_syn, wire::flag_ack | wire::flag_rst, +wire::flag_syn,
        +wire::flag_rst, +wire::flag_fin, 0}) {
    ack.flags = flags;
    EXPECT_FALSE(redeem_now(ack)) << flags;
  }
}

// --- C1: everything is inside the MAC

TEST_P(Redeem, RefusesEveryFlippedBit) {
  const wire::Segment honest = acknowledgement(modern);
  ASSERT_TRUE(redeem_now(honest));
  for (unsigned bit = 0; bit < 32; ++bit) {
    wire::Segment flipped = honest;
    flipped.ack = wire::SeqNumber((honest.ack - 1).value() ^ 1U << bit) + 1;
    EXPECT_FALSE(redeem_now(flipped)) << "cookie bit " << bit;
    flipped = honest;
    flipped.seq = wire::SeqNumber(honest.seq.value() ^ 1U << bit);
    EXPECT_FALSE(redeem_now(flipped)) << "SEQ bit " << bit;
  }
  for (unsigned bit = 0; bit < 16; ++bit) {
    wire::Segment flipped = honest;
    flipped.source.port = static_cast<std::uint16_t>(honest.source.port ^ 1U << bit);
    EXPECT_FALSE(redeem_now(flipped)) << "client port bit " << bit;
    flipped = honest;
    flipped.destination.port = static_cast<std::uint16_t>(honest.destination.port ^ 1U << bit);
    EXPECT_FALSE(redeem_now(flipped)) << "service port bit " << bit;
  }
  for (unsigned bit = 0; bit < 128; ++bit) {
    wire::Segment flipped = honest;
    flipped.source.address.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(redeem_now(flipped)) << "client address bit " << bit;
    flipped = honest;
    flipped.destination.address.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(redeem_now(flipped)) << "service address bit " << bit;
  }
}

TEST_P(Redeem, RefusesBlindGuesses) {
  wire::Segment guess = acknowledgement(modern);
  unsigned passed = 0;
  for (std::uint32_t i = 0; i < 200000; ++i) {
    guess.ack = wire::SeqNumber(i * 2654435761U);
    guess.seq = wire::SeqNumber(i * 40503U);
    if (redeem_now(guess)) ++passed;
  }
  EXPECT_LE(passed, 1U);  // 2^-23 each
}

// --- C2..C4: epochs, nodes, clocks

TEST_P(Redeem, AcceptsUntilTheEndOfTheNextEpoch) {
  for (const Duration made : {Duration(0s), Duration(30s), Duration(64s - 1ns)}) {
    now = Instant(made);
    const wire::Segment ack = acknowledgement(modern);
    for (const Duration tried : {made, Duration(64s), Duration(127s), Duration(128s - 1ns)}) {
      now = Instant(tried);
      EXPECT_TRUE(redeem_now(ack)) << made.count() << " at " << tried.count();
    }
    for (int second = 128; second < 1000; ++second) {
      now = Instant(second * 1s);
      ASSERT_FALSE(redeem_now(ack)) << made.count() << " at " << second;
    }
  }
}

TEST_P(Redeem, AcceptsWhatANodeUpToFourSecondsAheadMade) {
  now = Instant(64s);  // its clock
  const wire::Segment ack = acknowledgement(modern);
  now = Instant(60s);  // ours
  EXPECT_TRUE(redeem_now(ack));
  now = Instant(60s - 1ms);
  EXPECT_FALSE(redeem_now(ack));
}

TEST_P(Redeem, AcceptsWhatAnotherNodeWithTheSameMasterKeyMade) {
  const wire::Segment ack = acknowledgement(modern);
  Keyring other(test_master, wall_offset + 3600s);  // booted an hour later
  EXPECT_TRUE(read_cookie({other, spent, now - 3600s}, ack, {&full_offer, 1}));
}

TEST_P(Redeem, RefusesWhatAnotherMasterKeyMade) {
  const wire::Segment ack = acknowledgement(modern);
  MasterKey master = test_master;
  master[0] ^= 1;
  Keyring other(master, wall_offset);
  EXPECT_FALSE(read_cookie({other, spent, now}, ack, {&full_offer, 1}));
}

TEST_P(Redeem, AcceptsAcrossAStepOfTheWallClock) {
  for (const Duration step : {3600s, -3600s, 65s, -65s, 3s, -3s}) {
    keys = Keyring(test_master, wall_offset);
    now = Instant(1000 * 64s + 10s);
    const wire::Segment before = acknowledgement(modern);
    keys.re_anchor(wall_offset + step, now);
    const wire::Segment after = acknowledgement(modern);
    now += 60s;
    EXPECT_TRUE(redeem_now(before)) << step.count();
    EXPECT_TRUE(redeem_now(after)) << step.count();
    now += 138s;
    EXPECT_FALSE(redeem_now(before)) << step.count();
  }
}

// --- C5: what comes back

TEST_P(Redeem, RoundsEveryMssDown) {
  for (unsigned mss = 64; mss <= 0xffff; mss += 7) {
    const Redeemed redeemed = must_redeem(acknowledgement({static_cast<std::uint16_t>(mss), 7, 0}));
    ASSERT_LE(redeemed.client.mss, mss);
  }
}

TEST_P(Redeem, RoundsTheWindowScaleDownWithoutTimestamps) {
  constexpr std::array<std::uint8_t, 16> expected{0, 0, 0,  3,  3,  5,  6,  7,
                                                  8, 8, 10, 10, 10, 10, 10, 15};
  for (std::uint8_t scale = 0; scale <= SYNWARD_WINDOW_SCALE_ABSENT; ++scale) {
    for (const std::uint8_t flags : {0, SYNWARD_OFFER_SACK}) {
      const Redeemed redeemed = must_redeem(acknowledgement({1460, scale, flags}));
      EXPECT_EQ(redeemed.client.window_scale, expected[scale]);
      EXPECT_EQ(redeemed.client.flags, flags);
    }
  }
}

TEST_P(Redeem, IsExactWithTimestamps) {
  for (std::uint8_t scale = 0; scale <= SYNWARD_WINDOW_SCALE_ABSENT; ++scale) {
    for (unsigned flags = 0; flags < 8; ++flags) {
      const auto offered = static_cast<std::uint8_t>(flags | SYNWARD_OFFER_TIMESTAMPS);
      now += 13ms;
      const Redeemed redeemed = must_redeem(acknowledgement({1460, scale, offered}));
      EXPECT_EQ(redeemed.client.window_scale, scale);
      EXPECT_EQ(redeemed.client.flags, offered);
    }
  }
}

// C7
TEST_P(Redeem, BelievesTsecrOnlyWhereItAgreesWithTheCookie) {
  wire::Segment ack = acknowledgement({1460, 9, SYNWARD_OFFER_SACK | SYNWARD_OFFER_TIMESTAMPS});
  for (std::uint32_t echo = 0; echo < 64; ++echo) {
    ack.options.timestamps = wire::Timestamps{.value = 6666, .echo = echo};
    const Redeemed redeemed = must_redeem(ack);
    const std::uint32_t scale = echo >> 2;
    const bool agrees = (scale == 8 || scale == 9) && (echo & 2) != 0;
    EXPECT_EQ(redeemed.client.window_scale, agrees ? scale : 8);
    EXPECT_EQ(redeemed.client.flags, SYNWARD_OFFER_SACK | SYNWARD_OFFER_TIMESTAMPS |
                                         (agrees && (echo & 1) != 0 ? SYNWARD_OFFER_ECN : 0));
  }
}

TEST_P(Redeem, KnowsNoTimestampsThatWereNotPromised) {
  ServiceOffer offer = full_offer;
  offer.timestamps = false;
  wire::Segment ack = acknowledgement({1460, 9, 7}, offer);
  ASSERT_FALSE(ack.options.timestamps);
  ack.options.timestamps = wire::Timestamps{.value = 1, .echo = 9 << 2 | 3};
  const Redeemed redeemed = must_redeem(ack, {offer});
  EXPECT_EQ(redeemed.client.window_scale, 8);
  EXPECT_EQ(redeemed.client.flags, SYNWARD_OFFER_SACK);
}

TEST_P(Redeem, KnowsNoTimestampsThatTheAcknowledgementLacks) {
  wire::Segment ack = acknowledgement(modern);
  ack.options.timestamps.reset();
  const Redeemed redeemed = must_redeem(ack);
  EXPECT_EQ(redeemed.client.flags, SYNWARD_OFFER_SACK);
}

// --- C10: which offer was promised

TEST_P(Redeem, TellsWhichOfferWasPromised) {
  ServiceOffer changed = full_offer;
  changed.window = 65535;
  const wire::Segment ack = acknowledgement(without_timestamps);
  EXPECT_EQ(must_redeem(ack, {full_offer, changed}).offer_index, 0U);
  EXPECT_EQ(must_redeem(ack, {changed, full_offer}).offer_index, 1U);
  EXPECT_FALSE(redeem_now(ack, {changed}));
  EXPECT_FALSE(redeem_now(ack, {}));
}

TEST_P(Redeem, ReadsTimestampsByTheOfferThatWasPromised) {
  const ServiceOffer learned = full_offer;
  ServiceOffer unlearned = full_offer;
  unlearned.timestamps = false;
  const Redeemed with = must_redeem(acknowledgement(modern, learned), {unlearned, learned});
  EXPECT_NE(with.client.flags & SYNWARD_OFFER_TIMESTAMPS, 0);
  wire::Segment ack = acknowledgement(modern, unlearned);
  ack.options.timestamps = wire::Timestamps{};
  const Redeemed without = must_redeem(ack, {learned, unlearned});
  EXPECT_EQ(without.client.flags & SYNWARD_OFFER_TIMESTAMPS, 0);
}

TEST_P(Redeem, NamesTheFirstOfTwoEqualOffers) {
  EXPECT_EQ(must_redeem(acknowledgement(modern), {full_offer, full_offer}).offer_index, 0U);
}

TEST_P(Redeem, OfAKnownHandshakeTellsTheOfferToo) {
  Handshake known = handshake_of(syn(modern));
  known.challenge_isn = challenge_isn({keys, spent, now}, known, full_offer);
  const std::vector<ServiceOffer> offers{ServiceOffer{}, full_offer};
  EXPECT_EQ(promised_offer({keys, spent, now}, known, offers), 1U);
  EXPECT_FALSE(promised_offer({keys, spent, now + 128s}, known, offers));
  known.client_isn += 1;  // no tolerance here: the queue knows the ISN
  EXPECT_FALSE(promised_offer({keys, spent, now}, known, offers));
}

// T3: a device that boots with the same ports and ISN.
TEST_P(Redeem, ASynWhoseCookieWasSpentGetsAnotherThatRedeems) {
  std::vector<wire::SeqNumber> seen;
  for (unsigned life = 0; life < SYNWARD_COOKIE_ATTEMPTS; ++life) {
    const wire::SegmentToSend syn_ack = answer(syn(modern), full_offer);
    EXPECT_EQ(std::ranges::count(seen, syn_ack.seq), 0) << life;
    seen.push_back(syn_ack.seq);
    const Redeemed redeemed = must_redeem(acknowledge(syn_ack));
    EXPECT_EQ(redeemed.client_isn, client_isn);
    EXPECT_EQ(redeemed.client.mss, 1460);
    const CookieUse use{client, service, client_isn, syn_ack.seq};
    EXPECT_FALSE(spent.contains(use, now));
    spent.add(use, now + cookie_life_max, now);
    Handshake known = handshake_of(syn(modern));
    known.challenge_isn = syn_ack.seq;
    const std::vector<ServiceOffer> offers{full_offer};
    EXPECT_TRUE(promised_offer({keys, spent, now}, known, offers));
  }
  // Not without end: the last one again, which is a replay then.
  EXPECT_EQ(answer(syn(modern), full_offer).seq, seen.back());
  EXPECT_TRUE(redeem_now(acknowledge(answer(syn(modern), full_offer))));
}

TEST_P(Redeem, ACookieOfAFurtherAttemptIsWorthNothingWhereNoneWasSpent) {
  const wire::SegmentToSend first = answer(syn(modern), full_offer);
  const CookieUse use{client, service, client_isn, first.seq};
  spent.add(use, now + 1s, now);
  const wire::Segment second = acknowledge(answer(syn(modern), full_offer));
  EXPECT_NE(second.ack, first.seq + 1);
  EXPECT_TRUE(redeem_now(second));
  now += 2s;
  EXPECT_FALSE(redeem_now(second));
}

}  // namespace
}  // namespace synward::handshake
