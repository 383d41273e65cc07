// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

#include "daemon/io/packet_message.h"

namespace synward::io {

struct NfQueueOptions {
  std::uint16_t number = 0;
  std::uint32_t max_length = 16384;   // packets waiting in the kernel
  std::uint32_t copy_range = 0xffff;  // bytes of each packet copied to us; clipped to 65531
  int receive_buffer_bytes = 16 << 20;
  bool gso = true;  // a packet of many segments comes whole; else the kernel cuts it before
};

// A netfilter queue: receives in batches (recvmmsg), answers in batches (verdict messages
// concatenated in one sendmsg). Verdicts are given in the order of receipt: the kernel looks a
// packet up from the head of a list (before 7.0). Not thread safe; one worker owns it.
class NfQueue {
 public:
  static constexpr std::size_t batch_size = 64;

  // One sentence on failure: which queue, what is wrong, which line cures it; a queue that
  // somebody else reads names that process.
  static std::expected<NfQueue, std::string> open(const NfQueueOptions& options);
  NfQueue(NfQueue&&) noexcept;
  NfQueue& operator=(NfQueue&&) noexcept;
  ~NfQueue();

  int fd() const;
  std::uint16_t number() const;

  // Up to batch_size packets; empty if none is waiting. Never blocks. ENOBUFS is not an error
  // (NETLINK_NO_ENOBUFS; the kernel's drop counters tell).
  std::span<QueuedPacket> receive();

  // Verdicts are collected and performed by flush(), or earlier when many bytes are pending.
  // `payload` replaces the packet and must stay valid until then; one longer than
  // VerdictBatch::max_payload (65531) cannot be expressed: the packet is dropped and counted.
  void drop(std::uint32_t id);
  void accept(std::uint32_t id);  // as it came
  void accept(std::uint32_t id, std::uint32_t mark, std::span<const std::uint8_t> payload);
  void hand_over(std::uint32_t id, const NfQueue& other);  // who decides then
  void flush();

  // Verdicts that could not be sent: their packets were dropped instead (or, if that failed too,
  // wait in the kernel until the queue closes).
  std::uint64_t send_errors() const;
  // Verdicts that the kernel refused: the packet was gone (its interface went down).
  std::uint64_t refused_verdicts() const;

 private:
  struct Impl;
  explicit NfQueue(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace synward::io
