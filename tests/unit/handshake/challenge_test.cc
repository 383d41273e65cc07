// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/challenge.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "tests/unit/handshake/scene.h"

namespace synward::handshake {
namespace {

class Challenge : public HandshakeTest {};
INSTANTIATE_TEST_SUITE_P(Families, Challenge, both_families, family_name);

constexpr synward_client_offer full_client{1460, 7, 7};

std::vector<ServiceOffer> every_service_offer() {
  std::vector<ServiceOffer> result;
  for (const std::uint8_t scale : {0, 7, 14, SYNWARD_WINDOW_SCALE_ABSENT}) {
    for (unsigned bits = 0; bits < 8; ++bits) {
      result.push_back({.mss = 1440,
                        .window_scale = scale,
                        .sack = (bits & 1) != 0,
                        .timestamps = (bits & 2) != 0,
                        .ecn = (bits & 4) != 0,
                        .window = 20000});
    }
  }
  return result;
}

std::vector<synward_client_offer> every_client_offer() {
  std::vector<synward_client_offer> result;
  for (const std::uint8_t scale : {0, 1, 14, SYNWARD_WINDOW_SCALE_ABSENT}) {
    for (std::uint8_t flags = 0; flags < 8; ++flags) result.push_back({1460, scale, flags});
  }
  return result;
}

TEST_P(Challenge, ReadsWhatTheSynOffers) {
  for (const synward_client_offer& offer : every_client_offer()) {
    const synward_client_offer read = client_offer(syn(offer));
    EXPECT_EQ(read.mss, offer.mss);
    EXPECT_EQ(read.window_scale, offer.window_scale);
    EXPECT_EQ(read.flags, offer.flags);
  }
}

// RFC 9293 3.7.1
TEST_P(Challenge, ReadsAMissingMssAsTheDefaultOfTheFamily) {
  wire::Segment silent = syn(full_client);
  silent.options.mss.reset();
  EXPECT_EQ(client_offer(silent).mss, GetParam() == Family::ipv4 ? 536 : 1220);
}

TEST_P(Challenge, ReadsAnMssBelow64As64) {
  for (const std::uint16_t mss : {0, 1, 63, 64}) {
    EXPECT_EQ(client_offer(syn({mss, 7, 0})).mss, 64);
  }
  EXPECT_EQ(client_offer(syn({65, 7, 0})).mss, 65);
}

// RFC 3168 6.1.1, RFC 9768 3.1.1
TEST_P(Challenge, ReadsEcnOnlyFromEceWithCwr) {
  wire::Segment plain = syn({1460, 7, 0});
  const auto offers_ecn = [&](unsigned flags) {
    plain.flags = static_cast<std::uint16_t>(wire::flag_syn | flags);
    return (client_offer(plain).flags & SYNWARD_OFFER_ECN) != 0;
  };
  EXPECT_FALSE(offers_ecn(0));
  EXPECT_FALSE(offers_ecn(wire::flag_ece));
  EXPECT_FALSE(offers_ecn(wire::flag_cwr));
  EXPECT_FALSE(offers_ecn(wire::flag_ae));
  EXPECT_TRUE(offers_ecn(wire::flag_ece | wire::flag_cwr));
  EXPECT_TRUE(offers_ecn(wire::flag_ece | wire::flag_cwr | wire::flag_ae));
}

// O1, O2
TEST_P(Challenge, PromisesOnlyWhatBothSidesOffer) {
  for (const ServiceOffer& ours : every_service_offer()) {
    for (const synward_client_offer& theirs : every_client_offer()) {
      const Promise promised = promise(theirs, ours);
      EXPECT_EQ(promised.mss, ours.mss);
      EXPECT_EQ(promised.window, ours.window);
      EXPECT_EQ(promised.window_scale, theirs.window_scale == SYNWARD_WINDOW_SCALE_ABSENT
                                           ? SYNWARD_WINDOW_SCALE_ABSENT
                                           : ours.window_scale);
      EXPECT_EQ(promised.sack, ours.sack && (theirs.flags & SYNWARD_OFFER_SACK) != 0);
      EXPECT_EQ(promised.timestamps,
                ours.timestamps && (theirs.flags & SYNWARD_OFFER_TIMESTAMPS) != 0);
      // O5: only where the timestamps will bring it back
      EXPECT_EQ(promised.ecn,
                ours.ecn && promised.timestamps && (theirs.flags & SYNWARD_OFFER_ECN) != 0);
    }
  }
}

TEST_P(Challenge, IsASynAckThatCarriesThePromise) {
  for (const ServiceOffer& ours : every_service_offer()) {
    for (const synward_client_offer& theirs : every_client_offer()) {
      const Promise promised = promise(theirs, ours);
      const wire::SegmentToSend syn_ack = answer(syn(theirs), ours);
      EXPECT_EQ(syn_ack.source, service);
      EXPECT_EQ(syn_ack.destination, client);
      EXPECT_EQ(syn_ack.ack, client_isn + 1);
      EXPECT_EQ(syn_ack.flags,
                wire::flag_syn | wire::flag_ack | (promised.ecn ? wire::flag_ece : 0));
      EXPECT_EQ(syn_ack.window, ours.window);  // O3: real and never scaled
      EXPECT_EQ(syn_ack.options.mss, ours.mss);
      EXPECT_EQ(syn_ack.options.window_scale.value_or(SYNWARD_WINDOW_SCALE_ABSENT),
                promised.window_scale);
      EXPECT_EQ(syn_ack.options.sack_permitted, promised.sack);
      EXPECT_EQ(syn_ack.options.timestamps.has_value(), promised.timestamps);
      EXPECT_EQ(syn_ack.options.timestamps.value_or(wire::Timestamps{}).echo,
                promised.timestamps ? 5555U : 0U);
      EXPECT_TRUE(syn_ack.payload.empty());
    }
  }
}

// O1: written to bytes and read back, for every SYN with an MSS and without one.
TEST_P(Challenge, IsAsLongAsTheSynAndFourBytesMoreOnlyWithoutItsMss) {
  for (const synward_client_offer& theirs : every_client_offer()) {
    for (const bool has_mss : {true, false}) {
      wire::Segment asked = syn(theirs);
      if (!has_mss) asked.options.mss.reset();
      std::array<std::uint8_t, wire::tcp_options_max> scratch{};
      const std::size_t asked_length =
          wire::write_tcp_options(scratch,
                                  {asked.options.mss, asked.options.window_scale,
                                   asked.options.sack_permitted, asked.options.timestamps},
                                  0);
      for (const ServiceOffer& ours : every_service_offer()) {
        const wire::SegmentToSend reply = answer(asked, ours);
        const std::size_t length = wire::write_tcp_options(scratch, reply.options, asked_length);
        EXPECT_LE(length, asked_length + (has_mss ? 0 : 4));
        EXPECT_GE(length, asked_length);
      }
    }
  }
}

TEST_P(Challenge, OfARepeatedSynHasTheSameIsnWithinAnEpoch) {
  const wire::SeqNumber first = answer(syn(full_client), full_offer).seq;
  now += 50s;
  EXPECT_EQ(answer(syn(full_client), full_offer).seq, first);
  now += 10s;  // the next epoch
  EXPECT_NE(answer(syn(full_client), full_offer).seq, first);
}

// RFC 6528: what an outsider sees of one handshake tells nothing of another.
TEST_P(Challenge, IsnDiffersWithEverythingThatItCovers) {
  std::set<std::uint32_t> seen{answer(syn(full_client), full_offer).seq.value()};
  const auto expect_new = [&](const wire::SegmentToSend& syn_ack) {
    EXPECT_TRUE(seen.insert(syn_ack.seq.value()).second);
  };
  wire::Segment other = syn(full_client);
  other.source.address.bytes[15] ^= 1;
  expect_new(answer(other, full_offer));
  other = syn(full_client);
  other.source.port ^= 1;
  expect_new(answer(other, full_offer));
  other = syn(full_client);
  other.destination.address.bytes[15] ^= 1;
  expect_new(answer(other, full_offer));
  other = syn(full_client);
  other.destination.port ^= 1;
  expect_new(answer(other, full_offer));
  other = syn(full_client);
  other.seq += 1;
  expect_new(answer(other, full_offer));
  expect_new(answer(syn({536, 7, 7}), full_offer));
  expect_new(answer(syn(full_client), ServiceOffer{}));
}

TEST_P(Challenge, TsvalIsNeverAheadOfTheClockAndNeverRunsBackwards) {
  std::optional<std::uint32_t> last;
  for (int step = 0; step < 3000; ++step, now += 17ms) {
    client.port = static_cast<std::uint16_t>(1024 + step);  // C9: of the pair, not of the ports
    client_isn += 64000;
    const auto timestamps = answer(syn(full_client), full_offer).options.timestamps;
    ASSERT_TRUE(timestamps);
    const std::uint32_t tsval = timestamps.value_or(wire::Timestamps{}).value;
    ASSERT_LT(keys.timestamp_clock(now, client.address, service.address) - tsval, 64U);
    if (last) {
      ASSERT_LT(tsval - *last, 0x80000000U);
    }
    last = tsval;
  }
}

TEST(ServiceOfferDigest, HasAtMost24BitsAndChangesWithEveryField) {
  std::set<std::uint32_t> seen;
  for (unsigned field = 0; field < 7; ++field) {
    ServiceOffer offer = full_offer;
    if (field == 1) offer.mss = 1460;
    if (field == 2) offer.window_scale = 0;
    if (field == 3) offer.sack = false;
    if (field == 4) offer.timestamps = false;
    if (field == 5) offer.ecn = false;
    if (field == 6) offer.window = 1;
    EXPECT_LT(offer.digest(), 1U << 24);
    EXPECT_TRUE(seen.insert(offer.digest()).second) << field;
  }
}

}  // namespace
}  // namespace synward::handshake
