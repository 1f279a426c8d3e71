"""What holds and moves data: tables, streams, the stream processor, topics, queues, SES, buckets."""
