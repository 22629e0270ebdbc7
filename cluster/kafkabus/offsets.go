package kafkabus

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ends returns where each partition of the topic ends now, creating the topic if the broker does so on
// demand.
func (d *driver) ends(ctx context.Context, c *kgo.Client) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	partitions, err := d.partitions(ctx, c)
	if err != nil {
		return nil, err
	}
	ask := kmsg.NewPtrListOffsetsRequest()
	ask.ReplicaID = -1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = d.opts.Topic
	for _, p := range partitions {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = p, -1 // the end
		topic.Partitions = append(topic.Partitions, partition)
	}
	ask.Topics = append(ask.Topics, topic)
	ends := make(map[int32]int64)
	for _, shard := range c.RequestSharded(ctx, ask) {
		if shard.Err != nil {
			return nil, fmt.Errorf("asking where topic %s ends: %w", d.opts.Topic, shard.Err)
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("asking where topic %s ends: %w", d.opts.Topic, err)
				}
				ends[p.Partition] = p.Offset
			}
		}
	}
	return ends, nil
}

func (d *driver) partitions(ctx context.Context, c *kgo.Client) ([]int32, error) {
	ask := kmsg.NewPtrMetadataRequest()
	ask.AllowAutoTopicCreation = true
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &d.opts.Topic
	ask.Topics = append(ask.Topics, topic)
	resp, err := ask.RequestWith(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("asking for topic %s: %w", d.opts.Topic, err)
	}
	var partitions []int32
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("topic %s: %w: create it, or let the broker create topics", d.opts.Topic, err)
		}
		for _, p := range t.Partitions {
			partitions = append(partitions, p.Partition)
		}
	}
	if len(partitions) == 0 {
		return nil, fmt.Errorf("topic %s has no partitions", d.opts.Topic)
	}
	return partitions, nil
}
