<?php

declare(strict_types=1);

namespace Orderack\Orders\Observer;

use Magento\Framework\Event\Observer;
use Magento\Framework\Event\ObserverInterface;
use Magento\Framework\MessageQueue\PublisherInterface;
use Magento\Framework\Serialize\Serializer\Json;
use Magento\Sales\Api\Data\OrderInterface;
use Magento\Sales\Api\OrderRepositoryInterface;
use Orderack\Orders\Model\Settings;
use Psr\Log\LoggerInterface;

/**
 * Leaves a message for the queue that an order was saved: its numbers, and nothing of the buyer's.
 *
 * Whatever goes wrong here is logged and no more: a checkout never fails because of it.
 */
class OrderSaved implements ObserverInterface
{
    private const TOPIC = 'orderack.order.saved';
    private const TYPE = 'orderack.sales_order_saved';

    public function __construct(
        private Settings $settings,
        private PublisherInterface $publisher,
        private OrderRepositoryInterface $orders,
        private Json $json,
        private LoggerInterface $logger
    ) {
    }

    /**
     * @param Observer $observer of an event with the order, or with its id
     */
    public function execute(Observer $observer): void
    {
        try {
            $order = $observer->getData('order') ?? $this->orders->get((int)$observer->getData('order_id'));
            $store = (int)$order->getStoreId();
            if ($order->getEntityId() && $this->settings->isOn($store)) {
                $this->publisher->publish(self::TOPIC, $this->message($order, $store));
            }
        } catch (\Throwable $error) {
            $this->logger->error('orderack is not told of an order: ' . $error->getMessage());
        }
    }

    /**
     * Each save has an id of its own, which every attempt to tell of it bears.
     */
    private function message(OrderInterface $order, int $store): string
    {
        $value = ['entity_id' => (string)$order->getEntityId(), 'increment_id' => (string)$order->getIncrementId()];

        return $this->json->serialize([
            'id' => 'msg_' . bin2hex(random_bytes(16)),
            'store' => $store,
            'body' => $this->json->serialize(['type' => self::TYPE, 'data' => ['value' => $value]]),
        ]);
    }
}
