// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/flood_packet.h"

#include <algorithm>
#include <cstring>

namespace synward::lab {
namespace {

constexpr std::uint8_t flags_of(Kind kind) {
  constexpr std::array<std::uint8_t, 4> flags{0x02, 0x10, 0x12, 0x14};
  return flags.at(static_cast<std::size_t>(kind));
}
// As Linux sends them: MSS 1460, SACK permitted, timestamps, window scale 7.
constexpr std::array<std::uint8_t, 20> kSynOptions = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0,
                                                      0, 0, 0,    0,    0, 0, 1, 3,  3, 7};
constexpr std::array<std::uint8_t, 12> kAckOptions = {1, 1, 8, 10};
constexpr std::size_t kSynTimestamp = 8;
constexpr std::size_t kAckTimestamp = 4;

void put16(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

void put32(std::uint8_t* at, std::uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value & 0xffff);
}

// The one's complement sum in host order: byte order does not matter to it (RFC 1071).
std::uint64_t sum(std::span<const std::uint8_t> bytes) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, &bytes[i], 2);
    total += word;
  }
  return total;
}

std::uint16_t fold(std::uint64_t total) {
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(~total);
}

std::uint16_t swapped(std::uint16_t value) {
  return static_cast<std::uint16_t>((value << 8) | (value >> 8));
}

}  // namespace

FrameMaker::FrameMaker(const FloodSettings& settings)
    : settings_(settings), state_(settings.seed * 0x9e3779b97f4a7c15ULL + 1) {
  std::ranges::copy(settings.link.gateway, template_.begin());
  std::ranges::copy(settings.link.own, template_.begin() + 6);
  put16(&template_[12], settings.target.is_ipv6 ? 0x86dd : 0x0800);
  tcp_ = ip_ + (settings.target.is_ipv6 ? 40 : 20);
  const std::size_t options = settings.kind == Kind::syn ? kSynOptions.size() : kAckOptions.size();
  length_ = tcp_ + 20 + options;
  write_ip();
  write_tcp();
}

void FrameMaker::write_ip() {
  std::uint8_t* ip = &template_[ip_];
  if (settings_.target.is_ipv6) {
    ip[0] = 0x60;
    put16(ip + 4, static_cast<std::uint32_t>(length_ - tcp_));
    ip[6] = 6;
    ip[7] = 64;
    std::ranges::copy(settings_.target.address, ip + 24);
    return;
  }
  ip[0] = 0x45;
  put16(ip + 2, static_cast<std::uint32_t>(length_ - ip_));
  put16(ip + 6, 0x4000);
  ip[8] = 64;
  ip[9] = 6;
  std::copy_n(settings_.target.address.begin() + 12, 4, ip + 16);
}

void FrameMaker::write_tcp() {
  std::uint8_t* tcp = &template_[tcp_];
  put16(tcp + 2, settings_.target.port);
  tcp[12] = static_cast<std::uint8_t>((length_ - tcp_) / 4 << 4);
  tcp[13] = flags_of(settings_.kind);
  put16(tcp + 14, 64240);
  if (settings_.kind == Kind::syn)
    std::ranges::copy(kSynOptions, tcp + 20);
  else
    std::ranges::copy(kAckOptions, tcp + 20);
}

std::uint64_t FrameMaker::random() {  // xorshift64*: fast, and repeatable by its seed
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  return state_ * 0x2545f4914f6cdd1dULL;
}

void FrameMaker::choose_source(Frame& frame) {
  Address source{};
  for (std::size_t half = 0; half < 16; half += 8) {
    const std::uint64_t bits = random();
    std::memcpy(&source[half], &bits, 8);
  }
  for (unsigned bit = 0; bit < settings_.sources.bits; bit += 8) {
    const unsigned left = settings_.sources.bits - bit;
    const auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xffU : 0xff00U >> left);
    auto& byte = source[bit / 8];
    byte = static_cast<std::uint8_t>((byte & ~mask) | (settings_.sources.address[bit / 8] & mask));
  }
  if (settings_.target.is_ipv6)
    std::ranges::copy(source, &frame[ip_ + 8]);
  else
    std::copy_n(source.begin() + 12, 4, &frame[ip_ + 12]);
}

void FrameMaker::refresh(Frame& frame) {
  choose_source(frame);
  std::uint8_t* tcp = &frame[tcp_];
  const std::uint64_t numbers = random();
  put16(tcp, 1024 + static_cast<std::uint32_t>(numbers % 64000));
  put32(tcp + 4, static_cast<std::uint32_t>(numbers >> 32));
  const std::uint64_t more = random();
  if (settings_.kind != Kind::syn) put32(tcp + 8, static_cast<std::uint32_t>(more));
  const std::size_t timestamp = settings_.kind == Kind::syn ? kSynTimestamp : kAckTimestamp;
  put32(tcp + 20 + timestamp, static_cast<std::uint32_t>(more >> 32));

  const std::size_t addresses = settings_.target.is_ipv6 ? 32 : 8;
  const std::size_t first = settings_.target.is_ipv6 ? ip_ + 8 : ip_ + 12;
  std::memset(tcp + 16, 0, 2);
  const std::uint64_t pseudo = swapped(static_cast<std::uint16_t>(length_ - tcp_)) + swapped(6);
  const std::uint16_t checksum =
      fold(pseudo + sum({&frame[first], addresses}) + sum({tcp, length_ - tcp_}));
  std::memcpy(tcp + 16, &checksum, 2);
  if (settings_.target.is_ipv6) return;
  std::memset(&frame[ip_ + 10], 0, 2);
  const std::uint16_t header = fold(sum({&frame[ip_], 20}));
  std::memcpy(&frame[ip_ + 10], &header, 2);
}

flood_state FrameMaker::state() const {
  flood_state state{};
  static_assert(sizeof state.frame >= 14 + 40 + 40);
  std::copy_n(template_.begin(), length_, state.frame);
  state.random = state_ | 1;
  state.is_ipv6 = settings_.target.is_ipv6 ? 1 : 0;
  state.is_ack = settings_.kind != Kind::syn ? 1 : 0;
  for (unsigned bit = 0; bit < settings_.sources.bits; ++bit) {
    auto* mask = reinterpret_cast<std::uint8_t*>(state.source_mask);
    mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | 0x80U >> bit % 8);
  }
  std::memcpy(state.source, settings_.sources.address.data(), 16);
  for (std::size_t word = 0; word < 4; ++word) state.source[word] &= state.source_mask[word];
  const std::size_t addresses = settings_.target.is_ipv6 ? 32 : 8;
  const std::size_t first = settings_.target.is_ipv6 ? ip_ + 8 : ip_ + 12;
  state.tcp_sum = swapped(static_cast<std::uint16_t>(length_ - tcp_)) + swapped(6) +
                  sum({&template_[first], addresses}) + sum({&template_[tcp_], length_ - tcp_});
  state.ip_sum = sum({&template_[ip_], 20});
  return state;
}

}  // namespace synward::lab
