// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: objects of libnftnl that free themselves.
#pragma once
#include <memory>
#include <new>

namespace synward::io {

template <auto Free>
struct NftDeleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

template <typename T, auto Free>
using NftOwned = std::unique_ptr<T, NftDeleter<Free>>;

// Their allocation, which fails for want of memory only.
template <typename Owner>
Owner nft_checked(typename Owner::pointer object) {
  if (object == nullptr) throw std::bad_alloc();
  return Owner(object);
}

}  // namespace synward::io
