// SPDX-License-Identifier: GPL-2.0-or-later
//
// A client, a service and the segments between them, of either address family.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/handshake/challenge.h"

namespace synward::handshake {

using namespace std::chrono_literals;

enum class Family { ipv4, ipv6 };

inline constexpr MasterKey test_master{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6};
inline constexpr Duration wall_offset = 64000s;  // Instant(0) begins epoch 1000
inline constexpr ServiceOffer full_offer{
    .mss = 1440, .window_scale = 9, .sack = true, .timestamps = true, .ecn = true, .window = 29200};

inline wire::Address address(Family family, std::uint8_t last) {
  return family == Family::ipv4
             ? wire::Address::from_ipv4(std::array<std::uint8_t, 4>{203, 0, 113, last})
             : wire::Address::from_ipv6(std::array<std::uint8_t, 16>{
                   0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, last});
}

// Tests run for both families: TEST_P(..., ...) with ::both_families.
class HandshakeTest : public testing::TestWithParam<Family> {
 protected:
  wire::Endpoint client{address(GetParam(), 7), 40001};
  wire::Endpoint service{address(GetParam(), 80), 443};
  Keyring keys{test_master, wall_offset};
  std::vector<SpentCookies::Bucket> spent_memory =
      std::vector<SpentCookies::Bucket>(SpentCookies::buckets_for(64));
  SpentCookies spent{spent_memory, {1, 2}};
  Instant now{10s};
  // Odd, so that no flipped bit of SEQ makes ISN+1 an ISN.
  wire::SeqNumber client_isn{0x12345677};

  wire::Segment segment() const {
    wire::Segment result;
    result.source = client;
    result.destination = service;
    result.ip.source = client.address;
    result.ip.destination = service.address;
    return result;
  }

  wire::Segment syn(const synward_client_offer& offer) const {
    wire::Segment result = segment();
    result.flags = wire::flag_syn;
    if ((offer.flags & SYNWARD_OFFER_ECN) != 0) result.flags |= wire::flag_ece | wire::flag_cwr;
    result.seq = client_isn;
    result.options.mss = offer.mss;
    if (offer.window_scale != SYNWARD_WINDOW_SCALE_ABSENT) {
      result.options.window_scale = offer.window_scale;
    }
    result.options.sack_permitted = (offer.flags & SYNWARD_OFFER_SACK) != 0;
    if ((offer.flags & SYNWARD_OFFER_TIMESTAMPS) != 0) {
      result.options.timestamps = wire::Timestamps{.value = 5555, .echo = 0};
    }
    return result;
  }

  // SYN in, SYN-ACK out.
  wire::SegmentToSend answer(const wire::Segment& syn, const ServiceOffer& offer) {
    Handshake handshake = handshake_of(syn);
    handshake.challenge_isn = challenge_isn({keys, spent, now}, handshake, offer);
    return challenge(keys, now, handshake, offer);
  }

  // The client's acknowledgement of it.
  wire::Segment acknowledge(const wire::SegmentToSend& syn_ack) const {
    wire::Segment result = segment();
    result.flags = wire::flag_ack;
    result.seq = syn_ack.ack;
    result.ack = syn_ack.seq + 1;
    if (syn_ack.options.timestamps) {
      result.options.timestamps =
          wire::Timestamps{.value = 6666, .echo = syn_ack.options.timestamps->value};
    }
    return result;
  }

  wire::Segment acknowledgement(const synward_client_offer& offer,
                                const ServiceOffer& service_offer = full_offer) {
    return acknowledge(answer(syn(offer), service_offer));
  }

  std::optional<Redeemed> redeem_now(const wire::Segment& ack,
                                     const std::vector<ServiceOffer>& offers = {full_offer}) {
    return read_cookie({keys, spent, now}, ack, offers);
  }

  // The same where refusing would be a failure.
  Redeemed must_redeem(const wire::Segment& ack,
                       const std::vector<ServiceOffer>& offers = {full_offer}) {
    const auto redeemed = redeem_now(ack, offers);
    EXPECT_TRUE(redeemed.has_value());
    return redeemed.value_or(Redeemed{});
  }
};

inline const auto both_families = testing::Values(Family::ipv4, Family::ipv6);
inline std::string family_name(const testing::TestParamInfo<Family>& info) {
  return info.param == Family::ipv4 ? "IPv4" : "IPv6";
}

}  // namespace synward::handshake
