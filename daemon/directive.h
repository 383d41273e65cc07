// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

namespace synward {

// A value that the main thread changes now and then, and of which every worker has a copy. Whether
// there is another one costs a worker one load.
template <class Value>
class Directive {
 public:
  // The main thread's.
  void give(Value value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    changes_.fetch_add(1, std::memory_order_release);
  }
  // What was given last. Only the main thread writes it, so it needs no lock to look.
  const Value& given() const { return value_; }

  // A worker's copy.
  struct Copy {
    Value value{};
    std::uint32_t change = 0;  // which one it is of
  };
  // True if `copy` is another one now. Without memory for it the former one stays, and the next
  // call tries again.
  bool take(Copy& copy) const {
    if (changes_.load(std::memory_order_acquire) == copy.change) return false;
    try {
      const std::lock_guard lock(mutex_);
      Value value = value_;
      copy.value = std::move(value);
      copy.change = changes_.load(std::memory_order_relaxed);
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

 private:
  mutable std::mutex mutex_;
  Value value_{};
  std::atomic<std::uint32_t> changes_{0};
};

}  // namespace synward
