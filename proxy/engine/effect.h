// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the engine can ask for. It decides; daemon/worker.cc does.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "proxy/shared/reasons.h"
#include "proxy/wire/emit.h"

namespace synward::engine {

// What becomes of the packet at hand. The closed list:
enum class Verdict : std::uint8_t {
  drop,     // refused; counted under its reason
  consume,  // taken in by synward: the kernel is to forget it, and nothing was lost
  forward,  // rewritten in place; goes on where it was going
  pass,     // none of ours; goes on as it came
  reply,    // becomes the answer to its sender, which may be longer or shorter
};

struct Decision {
  Verdict verdict = Verdict::drop;
  // forward and reply: the bytes to go on with. A reply's are in the Outbox, until it is cleared.
  std::span<const std::uint8_t> packet;
};

// Packets of synward's own, to be sent after the verdict in this order. Fixed room: a packet that
// does not fit is refused, never the process's memory.
class Outbox {
 public:
  explicit Outbox(std::size_t capacity_bytes, std::size_t capacity_packets);

  // False if there is no room.
  bool send(const wire::SegmentToSend& segment);
  // Only written, not to be sent from here. Nothing if there is no room.
  std::span<const std::uint8_t> write(const wire::SegmentToSend& segment);
  std::span<const std::span<const std::uint8_t>> packets() const { return packets_; }
  void clear();
  // Less than half is left: perform before the next decision.
  bool nearly_full() const;

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<std::span<const std::uint8_t>> packets_;
  std::size_t used_ = 0;
};

}  // namespace synward::engine
