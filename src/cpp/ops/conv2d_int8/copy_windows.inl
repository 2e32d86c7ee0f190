// Copies windows of a picture of codes into rows of a matrix. Included in the namespace of a kernel, after
// copy_codes(to, from, n), which copies n codes to elements of the matrix.

template <class Item>
FC_INLINE void fill_codes(Item* to, std::uint8_t code, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = code;
}

// One row of a window whose pixels are `dilation` apart, `left` the column of its first.
template <class Item>
FC_INLINE void copy_window_row(const CodeWindows& p, const std::uint8_t* row, std::int64_t left, Item* to) {
  const WindowAxis& w = p.window.w;
  if (w.dilation == 1) {
    const std::int64_t begin = min_i64(w.size, max_i64(0, -left));
    const std::int64_t end = max_i64(begin, min_i64(w.size, p.width - left));
    fill_codes(to, p.zero, begin * p.channels);
    copy_codes(to + begin * p.channels, row + (left + begin) * p.channels, (end - begin) * p.channels);
    fill_codes(to + end * p.channels, p.zero, (w.size - end) * p.channels);
    return;
  }
  for (std::int64_t b = 0; b < w.size; ++b, to += p.channels) {
    const std::int64_t column = left + b * w.dilation;
    if (column < 0 || column >= p.width)
      fill_codes(to, p.zero, p.channels);
    else
      copy_codes(to, row + column * p.channels, p.channels);
  }
}

// Elements beyond the window, up to `pitch`, are left as they are: their weights are 0.
template <class Item>
void copy_windows(const CodeWindows& p, std::int64_t first, std::int64_t count, Item* to, std::int64_t pitch) {
  const auto& [h, w] = p.window;
  std::int64_t j = first % p.out_width, i = first / p.out_width % p.out_height, n = first / p.out_width / p.out_height;
  const std::int64_t run = w.size * p.channels, row_pitch = p.width * p.channels;
  for (std::int64_t r = 0; r < count; ++r, to += pitch) {
    const std::int64_t top = h.start(i), left = w.start(j);
    const std::uint8_t* picture = p.x + n * p.height * row_pitch;
    const std::uint8_t* row = picture + top * row_pitch;
    const bool inside = left >= 0 && left + w.size <= p.width && w.dilation == 1;
    Item* at = to;
    if (inside && top >= 0 && top + h.extent() <= p.height) {
      row += left * p.channels;
      for (std::int64_t a = 0; a < h.size; ++a, at += run, row += h.dilation * row_pitch) copy_codes(at, row, run);
    } else {
      for (std::int64_t a = 0; a < h.size; ++a, at += run, row += h.dilation * row_pitch) {
        const std::int64_t y = top + a * h.dilation;
        if (y < 0 || y >= p.height)
          fill_codes(at, p.zero, run);
        else
          copy_window_row(p, row, left, at);
      }
    }
    if (++j == p.out_width) {
      j = 0;
      if (++i == p.out_height) i = 0, ++n;
    }
  }
}
