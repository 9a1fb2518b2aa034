"""What operators need: health checks, logs that hide customers' numbers."""
